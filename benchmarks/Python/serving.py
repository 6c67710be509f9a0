"""A server as a team would write it instead: ONNX Runtime behind grpcio or FastAPI, for the comparison P11.

Usage: python serving.py --port PORT --model MODEL.onnx --protos PROTOS [--way batches | parallel | threads | http] [--draft]

batches   grpcio; a thread takes up to 16 waiting crops at once and runs the model with all processors
parallel  grpcio; the same with a thread for each processor, which runs the model on this one
threads   grpcio; each call decodes and runs the model on its own thread of a pool
http      the same with FastAPI and uvicorn: POST /embed with the image as the body, the vector as bytes

The manifest next to the model says how pixels become a tensor. The port opens when the model has run once.
"""

import argparse
import io
import json
import os
import pathlib
import queue
import sys
import tempfile
import threading
from concurrent import futures

# A folder with FastAPI and uvicorn, searched after everything that is installed.
sys.path.extend(filter(None, [os.environ.get("PYTHON_PACKAGES")]))

import numpy
import onnxruntime
from PIL import Image


class Model:
    """A model with the steps before and after it."""

    def __init__(self, path, threads, is_drafting):
        self.is_drafting = is_drafting
        manifest = json.loads(pathlib.Path(path).with_suffix(".json").read_text())
        spec = manifest["input"]
        self.name = manifest["name"]
        self.size = (spec["width"], spec["height"])
        self.is_bgr = spec.get("color_order", "rgb") == "bgr"
        # One value or a column of three, so that it applies to planes.
        self.mean = numpy.array(spec["mean"], numpy.float32).reshape(-1, 1, 1)
        self.scale = 1 / numpy.array(spec["std"], numpy.float32).reshape(-1, 1, 1)
        self.has_unit_length = manifest["unit_length"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.embed([numpy.zeros((self.size[1], self.size[0], 3), numpy.uint8)])

    def embed(self, crops):
        """Vectors of crops of the model's size, which are RGB bytes."""
        pixels = crops[0][None] if len(crops) == 1 else numpy.stack(crops)
        if self.is_bgr:
            pixels = pixels[..., ::-1]
        tensor = numpy.ascontiguousarray(pixels.transpose(0, 3, 1, 2), numpy.float32)
        tensor -= self.mean
        tensor *= self.scale
        vectors = self.session.run(None, {self.input: tensor})[0]
        if self.has_unit_length:
            vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors

    def pixels(self, image):
        """Pixels of the model's size from an Image message."""
        if image.WhichOneof("source") == "encoded":
            return self.decode(image.encoded)
        raw = image.pixels
        return numpy.frombuffer(raw.data, numpy.uint8).reshape(raw.height, raw.width, 3)

    def decode(self, data):
        with Image.open(io.BytesIO(data)) as file:
            if self.is_drafting:
                file.draft("RGB", (2 * self.size[0], 2 * self.size[1]))
            return numpy.asarray(file.convert("RGB").resize(self.size, Image.Resampling.BILINEAR))


class Batches:
    """Runs the model on threads of its own, on what waits: no more than the limit, and without a delay."""

    LIMIT = 16

    def __init__(self, model, runners):
        self.model = model
        self.waiting = queue.SimpleQueue()
        for _ in range(runners):
            threading.Thread(target=self.run, daemon=True).start()

    def add(self, crop):
        future = futures.Future()
        self.waiting.put((crop, future))
        return future

    def run(self):
        while True:
            batch = [self.waiting.get()]
            try:
                while len(batch) < self.LIMIT:
                    batch.append(self.waiting.get_nowait())
            except queue.Empty:
                pass
            try:
                vectors = self.model.embed([crop for crop, _ in batch]).tolist()
            except Exception as error:
                for _, future in batch:
                    future.set_exception(error)
                continue
            for (_, future), vector in zip(batch, vectors):
                future.set_result(vector)


def serve_grpc(arguments, model):
    import grpc
    from grpc_tools import protoc

    stubs = tempfile.mkdtemp()
    include = pathlib.Path(protoc.__file__).parent / "_proto"
    files = [str(path) for path in pathlib.Path(arguments.protos, "embeddings/v1").glob("*.proto")]
    command = ["", f"-I{arguments.protos}", f"-I{include}", f"--python_out={stubs}", f"--grpc_python_out={stubs}", *files]
    if protoc.main(command) != 0:
        raise SystemExit("the stubs could not be made")
    sys.path.insert(0, stubs)
    from embeddings.v1 import embedding_pb2, embedding_service_pb2, embedding_service_pb2_grpc

    is_batching = arguments.way != "threads"
    batches = Batches(model, os.cpu_count() if arguments.way == "parallel" else 1) if is_batching else None

    def embedding(vector):
        return embedding_pb2.Embedding(values=vector, model=model.name, unit_length=model.has_unit_length)

    class Service(embedding_service_pb2_grpc.EmbeddingServiceServicer):
        def EmbedFace(self, request, context):
            crop = model.pixels(request.face.image)
            vector = batches.add(crop).result() if is_batching else model.embed([crop])[0].tolist()
            return embedding_service_pb2.EmbedFaceResponse(embedding=embedding(vector))

        def StreamEmbed(self, requests, context):
            # Read ahead, so that a batch has more than one item of this stream; answers have the order of the requests.
            pending = queue.SimpleQueue()

            def read():
                try:
                    for request in requests:
                        many = getattr(request, "items", None)
                        pending.put([enqueue(item) for item in many] if many else enqueue(request))
                finally:
                    pending.put(None)

            def enqueue(request):
                return request.item_id, batches.add(model.pixels(request.face.image))

            def response(entry):
                item_id, future = entry
                return embedding_service_pb2.StreamEmbedResponse(item_id=item_id, embedding=embedding(future.result()))

            threading.Thread(target=read, daemon=True).start()
            while (entry := pending.get()) is not None:
                if isinstance(entry, list):
                    yield embedding_service_pb2.StreamEmbedResponse(items=[response(one) for one in entry])
                else:
                    yield response(entry)

    options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.max_concurrent_streams", 1000)]
    server = grpc.server(futures.ThreadPoolExecutor(arguments.workers), options=options)
    embedding_service_pb2_grpc.add_EmbeddingServiceServicer_to_server(Service(), server)
    server.add_insecure_port(f"127.0.0.1:{arguments.port}")
    server.start()
    server.wait_for_termination()


def serve_http(arguments, model):
    import asyncio

    import fastapi
    import uvicorn

    pool = futures.ThreadPoolExecutor(arguments.workers)
    app = fastapi.FastAPI()

    def embed(body):
        return model.embed([model.decode(body)])[0].tobytes()

    @app.post("/embed")
    async def post(request: fastapi.Request):
        body = await request.body()
        vector = await asyncio.get_running_loop().run_in_executor(pool, embed, body)
        return fastapi.Response(vector, media_type="application/octet-stream")

    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning", access_log=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--protos", required=True)
    parser.add_argument("--way", choices=["batches", "parallel", "threads", "http"], default="batches")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--threads", type=int, help="Threads of a run of the model: all processors for batches, else 1.")
    parser.add_argument("--draft", action="store_true", help="Decodes JPEG at a reduced scale of at least twice the size.")
    arguments = parser.parse_args()
    threads = arguments.threads or (os.cpu_count() if arguments.way == "batches" else 1)
    model = Model(arguments.model, threads, arguments.draft)
    (serve_http if arguments.way == "http" else serve_grpc)(arguments, model)


if __name__ == "__main__":
    main()
