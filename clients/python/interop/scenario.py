"""Runs the interop scenario described in clients/README.md.

Usage: scenario.py HOST:PORT JPEG VECTORS.json
"""

import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import grpc
import numpy as np
from numpy.typing import NDArray

from embeddings_client import Connection, FaceEmbeddingInference, FaceItem, ImageEmbeddingInference, Ingest, InvalidInput, QdrantFaceStore
from embeddings_client.stubs.embeddings.v1 import image_pb2, ingest_service_pb2, ingest_service_pb2_grpc, model_service_pb2, model_service_pb2_grpc

COLLECTION, JOB, CROPS, ITEMS = "interop_python", "job-python", 2000, 300


def crop(number: int) -> NDArray[np.uint8]:
    y, x, c = np.ogrid[:112, :112, :3]
    return ((7 * x + 13 * y + 31 * c + 17 * number) % 256).astype(np.uint8)


class Scenario:
    def __init__(self, address: str, jpeg: bytes) -> None:
        self.connection = Connection(f"http://{address}", timeout=60)
        self.store = QdrantFaceStore(collection=COLLECTION, connection=self.connection)
        self.jpeg = jpeg
        self.vectors: Dict[str, List[float]] = {}
        self.query = np.zeros(0, np.float32)
        self.counts: List[int] = []

    def health(self) -> None:
        expect(self.connection.is_serving(), "not SERVING")

    def models(self) -> None:
        stub = model_service_pb2_grpc.ModelServiceStub(self.connection.channel)
        models = self.connection.call(stub.ListModels, model_service_pb2.ListModelsRequest()).models
        defaults = {model.kind: model.dimension for model in models if model.default_for_kind and model.dimension}
        expect(defaults == {model_service_pb2.MODEL_KIND_IMAGE: 512, model_service_pb2.MODEL_KIND_FACE: 512}, f"defaults are {defaults}")

    def embed(self) -> None:
        vector = ImageEmbeddingInference(connection=self.connection).infer(self.jpeg, label="sample")
        expect(vector.shape == (512,) and bool(np.isfinite(vector).all()), f"shape {vector.shape}")
        self.vectors["jpeg"] = vector.tolist()

    def stream(self) -> None:
        inference = FaceEmbeddingInference(connection=self.connection)
        outcomes = list(inference.infer_stream((str(number), crop(number)) for number in range(CROPS)))
        expect([label for label, _ in outcomes] == [str(number) for number in range(CROPS)], "responses are not in order")
        failed = [str(outcome) for _, outcome in outcomes if not isinstance(outcome, np.ndarray)]
        expect(not failed, f"{len(failed)} items failed, the first with {failed[:1]}")
        vectors = np.stack([vector for _, vector in outcomes])
        expect(vectors.shape == (CROPS, 512), f"shape {vectors.shape}")
        expect(bool(np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5), "norms are not 1")
        expect(bool(np.abs(vectors[256:] - vectors[:-256]).max() < 1e-6), "the same crops give different vectors")
        expect(bool(np.abs(vectors[1:] - vectors[:-1]).max(axis=1).min() > 1e-6), "different crops give the same vector")
        self.query = vectors[100]
        self.vectors["crop"] = self.query.tolist()

    def ingest(self) -> None:
        stub = ingest_service_pb2_grpc.IngestServiceStub(self.connection.channel)
        answers = list(stub.StreamIngest(self._requests(), timeout=120))
        expect([answer.item_id for answer in answers] == [str(number) for number in range(ITEMS)], "responses are not in order")
        acks = [answer.ack.point_id for answer in answers if answer.WhichOneof("result") == "ack"]
        expect(len(acks) == ITEMS - 3, f"{len(acks)} acks")
        errors = {int(answer.item_id): (answer.error.code, answer.error.reason, answer.error.field) for answer in answers if answer.HasField("error")}
        wanted = {
            50: (3, "PIXEL_SIZE_MISMATCH", "face.face.image.pixels.data"),
            150: (3, "FIELD_REQUIRED", "face.job_id"),
            250: (3, "IMAGE_FORMAT_UNKNOWN", "face.face.image.encoded"),
        }
        expect(errors == wanted, f"errors are {errors}")
        other = list(Ingest(connection=self.connection).stream([FaceItem("other-python", 0, crop(1))], collection=COLLECTION))
        expect(other[0].ok, str(other[0].error))
        self.counts.append(self.store.count())

    def search(self) -> None:
        found = self.store.search(self.query, limit=5)
        expect(len(found) == 5 and found[0]["id"] == f"{JOB}-100" and found[0]["face_index"] == 100 and found[0]["score"] > 0.9999, f"found {found[:1]}")

    def media(self) -> None:
        found = self.store.search_by_media_store_id(self.query, "media-1", limit=10)
        expect(len(found) == 10 and found[0]["id"] == f"{JOB}-100" and all(point["media_store_id"] == "media-1" for point in found), f"found {found}")

    def delete(self) -> None:
        deleted = self.store.delete_by_job_id(JOB)
        expect(deleted == ITEMS - 3, f"{deleted} deleted")

    def count(self) -> None:
        self.counts.append(self.store.count())
        expect(self.counts == [ITEMS - 2, 1], f"counts are {self.counts}")
        expect(self.store.delete_by_job_id("other-python") == 1, "the other job is not there")

    def errors(self) -> None:
        try:
            ImageEmbeddingInference(connection=self.connection).infer(b"not an image")
        except InvalidInput as error:
            actual = (error.code, error.reason, error.field)
            expect(actual == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_FORMAT_UNKNOWN", "image.encoded"), f"got {actual}")
        else:
            expect(False, "no error")

    def _requests(self) -> Iterator[ingest_service_pb2.StreamIngestRequest]:
        # Uses the stubs directly, because the package would reject some of the invalid items.
        for number in range(ITEMS):
            data = crop(number).tobytes()
            pixels = image_pb2.PixelBuffer(width=112, height=112, format=image_pb2.PIXEL_FORMAT_RGB8, data=data[:-1] if number == 50 else data)
            image = image_pb2.Image(encoded=b"not an image") if number == 250 else image_pb2.Image(pixels=pixels)
            face = ingest_service_pb2.FaceItem(
                job_id="" if number == 150 else JOB, media_store_id=f"media-{number % 3}", face_index=number, face=image_pb2.FaceCrop(image=image)
            )
            yield ingest_service_pb2.StreamIngestRequest(item_id=str(number), collection=COLLECTION, face=face)


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def run(name: str, step: Callable[[], Any]) -> bool:
    try:
        step()
    except Exception as error:
        print(f"FAILED {name} {type(error).__name__}: {error}".replace("\n", " "), flush=True)
        return False
    print(f"ok {name}", flush=True)
    return True


def main() -> int:
    address, jpeg, output = sys.argv[1:]
    scenario = Scenario(address, Path(jpeg).read_bytes())
    steps = ("health", "models", "embed", "stream", "ingest", "search", "media", "delete", "count", "errors")
    outcomes = [run(name, getattr(scenario, name)) for name in steps]
    Path(output).write_text(json.dumps(scenario.vectors), encoding="utf-8")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
