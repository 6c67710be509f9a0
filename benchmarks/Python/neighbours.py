"""Recall and latency of nearest-neighbour searches: FAISS, USearch, and a running server on the same vectors.

Usage: python neighbours.py --usearch libusearch_c.so [--count 200000] [--server 127.0.0.1:50051 --protos PROTOS] [--only flat,ivf,hnsw,usearch,usearch-scale,server]

Vectors are clustered: each is the center of its cluster plus noise of the same length in all dimensions, so that the nearest points of a
cluster are nearly as far away as its others, which is harder for an index than what models make. The queries are further vectors of the
same clusters. Each query is searched alone. FAISS and USearch run in this process, the server over gRPC, with payloads of its points.

Prints a line per setting: what, recall of the first 10, median and 95th percentile in milliseconds, and the time to build in seconds.
The vectors of USearch are int8 with a scale per vector, as those of the server (usearch), or encoded by USearch with one scale for all
(usearch-scale); its results are scored again in float32.
"""

import argparse
import ctypes
import os
import pathlib
import sys
import tempfile
import time

import numpy

DIMENSION = 512
NEAREST = 10


def clustered(count, clusters, seed):
    """Unit vectors in clusters, and the centers."""
    random = numpy.random.default_rng(1)
    centers = random.standard_normal((clusters, DIMENSION), numpy.float32)
    random = numpy.random.default_rng(seed)
    vectors = numpy.empty((count, DIMENSION), numpy.float32)
    for first in range(0, count, 50_000):
        part = vectors[first : first + 50_000]
        part[:] = random.standard_normal(part.shape, numpy.float32)
        part += centers[random.integers(0, clusters, len(part))]
        part /= numpy.linalg.norm(part, axis=1, keepdims=True)
    return vectors


class Usearch:
    """The C library, whose Python package could not be given a scale per vector."""

    COSINE, FLOAT, INT8 = 1, 1, 4

    class Options(ctypes.Structure):
        _fields_ = [
            ("metric_kind", ctypes.c_int),
            ("metric", ctypes.c_void_p),
            ("quantization", ctypes.c_int),
            ("dimensions", ctypes.c_size_t),
            ("connectivity", ctypes.c_size_t),
            ("expansion_add", ctypes.c_size_t),
            ("expansion_search", ctypes.c_size_t),
            ("multi", ctypes.c_bool),
        ]

    def __init__(self, library, links, expansion):
        self.library = ctypes.CDLL(library)
        self.library.usearch_init.restype = ctypes.c_void_p
        self.library.usearch_search.restype = ctypes.c_size_t
        self.library.usearch_memory_usage.restype = ctypes.c_size_t
        self.error = ctypes.c_char_p()
        options = self.Options(self.COSINE, None, self.INT8, DIMENSION, links, expansion, 1, False)
        self.index = ctypes.c_void_p(self.library.usearch_init(ctypes.byref(options), ctypes.byref(self.error)))
        self.check()

    def check(self):
        if self.error.value:
            raise RuntimeError(self.error.value.decode())

    def build(self, vectors, threads):
        """Adds float32 or int8 vectors."""
        codes, kind = vectors, self.kind(vectors)
        self.library.usearch_reserve(self.index, ctypes.c_size_t(len(codes)), ctypes.byref(self.error))
        self.check()

        def add(numbers):
            error = ctypes.c_char_p()
            for number in numbers:
                vector = ctypes.c_void_p(codes.ctypes.data + number * codes.strides[0])
                self.library.usearch_add(self.index, ctypes.c_uint64(number), vector, kind, ctypes.byref(error))
                if error.value:
                    raise RuntimeError(error.value.decode())

        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(add, (range(first, len(codes), threads) for first in range(threads))))

    def kind(self, vectors):
        return self.INT8 if vectors.dtype == numpy.int8 else self.FLOAT

    def search(self, codes, count):
        keys = numpy.empty(count, numpy.uint64)
        distances = numpy.empty(count, numpy.float32)
        found = self.library.usearch_search(
            self.index,
            ctypes.c_void_p(codes.ctypes.data),
            self.kind(codes),
            ctypes.c_size_t(count),
            ctypes.c_void_p(keys.ctypes.data),
            ctypes.c_void_p(distances.ctypes.data),
            ctypes.byref(self.error),
        )
        self.check()
        return keys[:found]


def encode(vectors):
    """int8 with a scale per vector."""
    codes = numpy.empty(vectors.shape, numpy.int8)
    for first in range(0, len(vectors), 50_000):
        part = vectors[first : first + 50_000]
        codes[first : first + 50_000] = numpy.rint(part * (127 / numpy.abs(part).max(axis=1, keepdims=True)))
    return codes


def report(what, search, queries, truth, build=0.0):
    for query in queries[:5]:
        search(query)
    found, times = 0, []
    for query, nearest in zip(queries, truth):
        began = time.perf_counter()
        result = search(query)
        times.append(1000 * (time.perf_counter() - began))
        found += len(set(int(number) for number in result[:NEAREST]) & nearest)
    recall = found / (NEAREST * len(queries))
    print(f"{what:44} {recall:7.4f} {numpy.median(times):8.3f} ms {numpy.percentile(times, 95):8.3f} ms {build:8.1f} s", flush=True)


def timed(work):
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def faiss_indexes(vectors, only):
    """Name, index, time to build, and the settings to search with."""
    import faiss

    faiss.omp_set_num_threads(os.cpu_count())
    lists = int(4 * len(vectors) ** 0.5)

    def ivf():
        index = faiss.index_factory(DIMENSION, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors[: 40 * lists])
        index.add(vectors)
        return index

    def hnsw():
        index = faiss.IndexHNSWFlat(DIMENSION, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 128
        index.add(vectors)
        return index

    if "ivf" in only:
        index, build = timed(ivf)
        for probes in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            if probes <= lists:
                index.nprobe = probes
                yield f"FAISS IVF{lists}, nprobe {probes}", index, build
    if "hnsw" in only:
        index, build = timed(hnsw)
        for expansion in (32, 64, 128, 256, 512, 1024):
            index.hnsw.efSearch = expansion
            yield f"FAISS HNSW16, efSearch {expansion}", index, build


class Server:
    """Searches of a running server, whose collection is filled first."""

    COLLECTION = "neighbours"

    def __init__(self, address, protos):
        import grpc
        import grpc_tools
        from grpc_tools import protoc

        generated = tempfile.mkdtemp()
        files = [str(path) for path in pathlib.Path(protos).glob("embeddings/v1/*.proto")]
        include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
        if protoc.main(["", f"-I{protos}", f"-I{include}", f"--python_out={generated}", f"--grpc_python_out={generated}", *files]) != 0:
            raise RuntimeError("The stubs could not be generated.")
        sys.path.insert(0, generated)
        from embeddings.v1 import point_pb2, vector_store_service_pb2, vector_store_service_pb2_grpc

        self.messages, self.points = vector_store_service_pb2, point_pb2
        channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", 64 << 20)])
        self.store = vector_store_service_pb2_grpc.VectorStoreServiceStub(channel)

    def fill(self, vectors):
        messages = self.messages
        self.store.CreateCollection(
            messages.CreateCollectionRequest(
                collection=self.COLLECTION,
                dimension=DIMENSION,
                settings=messages.CollectionSettings(approximate_index=messages.ApproximateIndex()),
            )
        )
        for first in range(0, len(vectors), 1000):
            points = [
                self.points.VectorPoint(point_id=str(first + i), vector_f32=vector.tobytes())
                for i, vector in enumerate(vectors[first : first + 1000])
            ]
            self.store.UpsertVectors(messages.UpsertVectorsRequest(collection=self.COLLECTION, points=points))
        while True:
            collection = self.store.GetCollection(messages.GetCollectionRequest(collection=self.COLLECTION)).collection
            state = collection.approximate_index_state
            if state.indexed_count == len(vectors) and state.HasField("recall_at_10"):
                return state.recall_at_10
            time.sleep(1)

    def search(self, query, exact, candidates=None):
        params = self.messages.SearchParams(exact=exact)
        if candidates is not None:
            params.hnsw_ef = candidates
        query = self.messages.SearchQuery(vector=self.messages.QueryVector(values_f32=query.tobytes()))
        request = self.messages.SearchVectorsRequest(collection=self.COLLECTION, queries=[query], limit=NEAREST, params=params)
        return [int(hit.point.point_id) for hit in self.store.SearchVectors(request).results[0].points]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--clusters", type=int, default=0, help="default: a cluster per 1,000 vectors")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--usearch", help="libusearch_c.so of the NuGet package Cloud.Unum.USearch, in a folder with libnumkong.so")
    parser.add_argument("--server", help="address of a server whose collection 'neighbours' does not exist yet")
    parser.add_argument("--protos", help="folder of the contract")
    parser.add_argument("--links", type=int, default=16)
    parser.add_argument("--expansion", type=int, default=128)
    parser.add_argument("--only", default="flat,ivf,hnsw,usearch,usearch-scale,server")
    options = parser.parse_args()
    only = options.only.split(",")
    clusters = options.clusters or max(1, options.count // 1000)
    vectors = clustered(options.count, clusters, 2)
    queries = clustered(options.queries, clusters, 3)

    import faiss

    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(vectors)
    truth = [set(row.tolist()) for row in flat.search(queries, NEAREST)[1]]
    print(f"{options.count} x {DIMENSION} in {clusters} clusters, {len(queries)} queries")
    print(f"{'':44} {'recall':>7} {'median':>11} {'95th':>11} {'build':>10}")
    if "flat" in only:
        report("FAISS flat", lambda query: flat.search(query[None], NEAREST)[1][0], queries, truth)
    del flat
    for name, index, build in faiss_indexes(vectors, only):
        report(name, lambda query: index.search(query[None], NEAREST)[1][0], queries, truth, build)
    for way, encoded in (("usearch", encode), ("usearch-scale", lambda vectors: vectors)):
        if way not in only or not options.usearch:
            continue
        codes = encoded(vectors)
        index = Usearch(options.usearch, options.links, options.expansion)
        _, build = timed(lambda: index.build(codes, os.cpu_count()))

        def rescored(query, count):
            rows = index.search(encoded(query[None])[0], count)
            return rows[numpy.argsort(-(vectors[rows] @ query))[:NEAREST]]

        name = "USearch int8" if way == "usearch" else "USearch int8, one scale"
        for count in (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024):
            report(f"{name}, {options.links} links, expansion {count}", lambda query: rescored(query, count), queries, truth, build)
        print(f"memory of USearch: {index.library.usearch_memory_usage(index.index, ctypes.byref(index.error)) / len(vectors):.0f} bytes per vector")
    if "server" in only and options.server:
        server = Server(options.server, options.protos)
        recall, build = timed(lambda: server.fill(vectors))
        print(f"the server measures a recall of {recall:.3f}")
        report("server, exact", lambda query: server.search(query, True), queries, truth, build)
        report("server, approximate", lambda query: server.search(query, False), queries, truth, build)
        for count in (32, 64, 128, 256, 512, 1024):
            report(f"server, hnsw_ef {count}", lambda query: server.search(query, False, count), queries, truth, build)


if __name__ == "__main__":
    main()
