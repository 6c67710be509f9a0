"""Runs the interop scenario described in clients/README.md.

Usage: scenario.py HOST:PORT JPEG VECTORS.json
"""

import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import grpc
import numpy as np
from numpy.typing import NDArray

from embeddings_client import (
    Connection,
    FaceAnalysis,
    FaceEmbeddingInference,
    FaceItem,
    Faces,
    ImageEmbeddingInference,
    Ingest,
    InvalidInput,
    Persons,
    PhotoItem,
    QdrantFaceStore,
    StreamOptions,
)
from embeddings_client.streams import exchange
from embeddings_client.stubs.embeddings.v1 import image_pb2, ingest_service_pb2, ingest_service_pb2_grpc, model_service_pb2, model_service_pb2_grpc

COLLECTION, JOB, CROPS, ITEMS = "interop_python", "job-python", 2000, 300
BATCHES, SINGLES = "interop_python_batches", "interop_python_singles"
PEOPLE, PHOTO = "interop_python_people", "photo-python"


def crop(number: int) -> NDArray[np.uint8]:
    y, x, c = np.ogrid[:112, :112, :3]
    return ((7 * x + 13 * y + 31 * c + 17 * number) % 256).astype(np.uint8)


def vector(number: int) -> NDArray[np.float32]:
    return (((31 * number + 7 * np.arange(512)) % 101 - 50.5) / 100).astype(np.float32)


class Counter(grpc.StreamStreamClientInterceptor):
    """Counts the messages that are sent in streams."""

    def __init__(self) -> None:
        self.messages = 0

    def intercept_stream_stream(self, continuation: Any, details: Any, requests: Iterator[Any]) -> Any:
        def counted() -> Iterator[Any]:
            for message in requests:
                self.messages += 1
                yield message

        return continuation(details, counted())

    def taken(self) -> int:
        """Returns the number of messages since the last call."""
        count, self.messages = self.messages, 0
        return count


class Scenario:
    def __init__(self, address: str, jpeg: bytes, folder: Path) -> None:
        self.connection = Connection(f"http://{address}", timeout=60)
        self.singles = Connection(f"http://{address}", timeout=60, streams=StreamOptions(max_items_per_message=1))
        self.counter = Counter()
        for connection in (self.connection, self.singles):
            connection.channel = grpc.intercept_channel(connection.channel, self.counter)
        self.store = QdrantFaceStore(collection=COLLECTION, connection=self.connection)
        self.jpeg = jpeg
        # Two drawn faces, the left one larger, and the left one once more in another light.
        self.two, self.one = folder / "two-faces.jpg", folder / "one-face.jpg"
        self.vectors: Dict[str, List[float]] = {}
        self.query = np.zeros(0, np.float32)
        self.embedded: NDArray[np.float32] = np.zeros((0, 0), np.float32)
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
        expect(self.counter.taken() < CROPS / 2, "the crops were not sent in messages of several")
        self.embedded = vectors
        self.query = vectors[100]
        self.vectors["crop"] = self.query.tolist()

    def ingest(self) -> None:
        stub = ingest_service_pb2_grpc.IngestServiceStub(self.connection.channel)
        answers = list(exchange(stub.StreamIngest, self._requests(), 60, self.connection.streams))
        expect(self.counter.taken() < ITEMS / 2, "the items were not sent in messages of several")
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

    def batches(self) -> None:
        # The same results as with messages of one item, bit for bit.
        inference = FaceEmbeddingInference(connection=self.singles)
        self.counter.taken()
        outcomes = list(inference.infer_stream((str(number), crop(number)) for number in range(ITEMS)))
        sent = self.counter.taken()
        expect(sent == ITEMS, f"{sent} messages of one item")
        same = [isinstance(outcome, np.ndarray) and outcome.tobytes() == self.embedded[at].tobytes() for at, (_, outcome) in enumerate(outcomes)]
        expect(len(same) == ITEMS and all(same), f"{same.count(False)} vectors differ")
        stored = [self._upsert(BATCHES, self.connection), self._upsert(SINGLES, self.singles)]
        expect(stored[0][1] < ITEMS / 2 and stored[1][1] == ITEMS, f"{stored[0][1]} and {stored[1][1]} messages")
        expect(len(stored[0][0]) == ITEMS - 1 and stored[0][0] == stored[1][0], "the stored vectors differ")

    def _upsert(self, collection: str, connection: Connection) -> Tuple[Dict[str, bytes], int]:
        """Stores vectors, of which one is invalid, and returns the stored ones and the number of messages."""
        store = QdrantFaceStore(collection=collection, connection=connection)
        points = ((f"p-{number}", vector(number)[: 5 if number == 100 else 512], {"job_id": JOB}) for number in range(ITEMS))
        failed: List[str] = []
        count = store.add_vectors(points, on_error=lambda point_id, error: failed.append(f"{point_id} {error.reason}"))
        messages = self.counter.taken()
        expect(count == ITEMS - 1 and failed == ["p-100 DIMENSION_MISMATCH"], f"{count} stored, failed: {failed}")
        stored = {point["id"]: point["vector"].tobytes() for point in store.list(with_vectors=True)}
        expect(store.delete_by_job_id(JOB) == ITEMS - 1, "not all were deleted")
        return stored, messages

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

    def faces(self) -> None:
        faces = Faces(connection=self.connection)
        found = faces.detect_faces(self.two)
        expect(len(found.faces) == 2 and not found.left_out, f"{len(found.faces)} faces, {len(found.left_out)} left out")
        expect((found.photo.width, found.photo.height) == (480, 240), f"photo is {found.photo}")
        left, right = (face.bbox for face in found.faces)
        expect(left["x"] + left["width"] < 240 < right["x"], f"faces at {left} and {right}")
        sound = [face.face_index == at and face.confidence > 0.8 and face.quality["overall"] > 0 and face.landmarks["nose"]["x"] > 0 for at, face in enumerate(found.faces)]
        expect(all(sound), "a face lacks confidence, quality, or landmarks")
        # The convention of insightface gives the same faces.
        analyzed = FaceAnalysis(connection=self.connection).get(self.two)
        expect(len(analyzed) == 2 and all(abs(float(np.linalg.norm(face.normed_embedding)) - 1) < 1e-5 for face in analyzed), "norms are not 1")
        expect(abs(float(analyzed[0].bbox[0]) - left["x"]) < 1e-3, f"box is {analyzed[0].bbox}")
        pairs = faces.compare_faces(self.one, self.two).pairs
        expect([(pair.first_index, pair.second_index, pair.same_person) for pair in pairs] == [(0, 0, True), (0, 1, False)], f"pairs are {pairs}")
        expect(pairs[0].similarity > 0.8 and pairs[1].similarity < 0.5, f"pairs are {pairs}")

    def photo(self) -> None:
        ingest = Ingest(connection=self.connection)
        (result,) = ingest.ingest_photos([PhotoItem(PHOTO, self.two)], collection=PEOPLE)
        ids = [face.point_id for face in result.photo.faces] if result.photo else []
        expect(ids == [f"{PHOTO}-0", f"{PHOTO}-1"], f"stored {ids} {result.error}")
        again = ingest.ingest_photo(PhotoItem(PHOTO, self.one), collection=PEOPLE)
        expect((len(again.faces), again.removed) == (1, 1), f"{again}")
        back = ingest.ingest_photo(PhotoItem(PHOTO, self.two), collection=PEOPLE)
        expect((len(back.faces), back.removed) == (2, 0), f"{back}")

    def persons(self) -> None:
        persons = Persons(collection=PEOPLE, connection=self.connection)
        named = persons.name(f"{PHOTO}-0", "Ada")
        expect(named.changed == 1, f"{named.changed} named")
        identified = [face.person for face in Faces(connection=self.connection).identify_faces(self.two, collection=PEOPLE).faces]
        expect(identified == ["Ada", ""], f"identified {identified}")
        listed = [(person.name, person.face_count) for person in persons.list()]
        expect(listed == [("Ada", 1)] and persons.unnamed_count() == 1, f"listed {listed}")
        expect(persons.undo(named).restored == 1, "the name was not undone")
        groups = persons.cluster()
        expect((len(groups.persons), groups.grouped, groups.change_id) == (2, 2, ""), f"grouped {groups}")
        deleted = QdrantFaceStore(collection=PEOPLE, connection=self.connection).delete_by_job_id(PHOTO)
        expect(deleted == 2, f"{deleted} deleted")

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
    scenario = Scenario(address, Path(jpeg).read_bytes(), Path(jpeg).parent)
    steps = ("health", "models", "embed", "stream", "ingest", "batches", "search", "media", "delete", "count", "faces", "photo", "persons", "errors")
    outcomes = [run(name, getattr(scenario, name)) for name in steps]
    Path(output).write_text(json.dumps(scenario.vectors), encoding="utf-8")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
