import concurrent.futures
import copy
import unittest
from pathlib import Path

import grpc
import numpy as np

try:
    from PIL import Image
except ImportError:
    Image = None  # type: ignore[assignment]

from embeddings_client import Connection, EmbeddingsError, FaceAnalysis, FaceItem, FaceOptions, Faces, Ingest, InvalidInput, Persons, PhotoItem, QdrantFaceStore
from embeddings_client.stubs.embeddings.v1 import (
    embedding_pb2,
    face_pb2,
    face_service_pb2,
    face_service_pb2_grpc,
    image_pb2,
    ingest_service_pb2,
    ingest_service_pb2_grpc,
    person_service_pb2,
    person_service_pb2_grpc,
    point_pb2,
    vector_store_service_pb2,
    vector_store_service_pb2_grpc,
)

from .server import items_of, needs_server, unique

SAMPLE = Path(__file__).resolve().parents[2] / "testdata" / "sample.jpg"


def face(index: int, size: float = 80) -> face_pb2.Face:
    points = {name: image_pb2.Point(x=number, y=2 * number) for number, name in enumerate(("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner"))}
    return face_pb2.Face(
        face_index=index,
        bbox=image_pb2.BoundingBox(x=10, y=20, width=size, height=size + 10),
        confidence=0.875,
        landmarks=image_pb2.FaceLandmarks(**points),
        quality=face_pb2.FaceQuality(overall=0.5, size=1, sharpness=0.25, brightness=1, contrast=0.5, pose=0.75, confidence=0.875),
        pose=face_pb2.HeadPose(yaw=10, pitch=-5, roll=2),
    )


LEFT_OUT = face_pb2.LeftOutFace(
    bbox=image_pb2.BoundingBox(x=1, y=2, width=3, height=4), confidence=0.75, reason=face_pb2.LEFT_OUT_REASON_TOO_SMALL, message="too small"
)
PHOTO = face_pb2.PhotoInfo(width=640, height=480, exif_orientation=6, rotation=90)


class FacesDouble(face_service_pb2_grpc.FaceServiceServicer):
    def __init__(self) -> None:
        self.asked = []

    def DetectFaces(self, request, context):
        self.asked.append(request)
        found = [face_service_pb2.DetectedFace(face=face(0), crop_png=b"png" if request.return_crops else None), face_service_pb2.DetectedFace(face=face(1))]
        return face_service_pb2.DetectFacesResponse(faces=found, left_out=[LEFT_OUT], photo=PHOTO)

    def EmbedFaces(self, request, context):
        self.asked.append(request)
        embedding = embedding_pb2.Embedding(values=[0.6, 0.8], model="m", unit_length=True)
        return face_service_pb2.EmbedFacesResponse(faces=[face_service_pb2.EmbeddedFace(face=face(0), embedding=embedding)], photo=PHOTO)

    def CompareFaces(self, request, context):
        self.asked.append(request)
        if request.second.encoded == b"unknown":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no image")
        pairs = [face_service_pb2.FacePair(first_index=0, second_index=1, similarity=0.5, same_person=True), face_service_pb2.FacePair(similarity=0.25)]
        return face_service_pb2.CompareFacesResponse(first_faces=[face(0)], second_faces=[face(0), face(1)], pairs=pairs, threshold=0.375, model="m")

    def IdentifyFaces(self, request, context):
        self.asked.append(request)
        match = face_service_pb2.PersonMatch(person="Ada", similarity=0.75, point_id="a-0", same_person=True)
        faces = [face_service_pb2.IdentifiedFace(face=face(0), persons=[match], person="Ada"), face_service_pb2.IdentifiedFace(face=face(1))]
        return face_service_pb2.IdentifyFacesResponse(faces=faces, photo=PHOTO, threshold=0.375)


class IngestDouble(ingest_service_pb2_grpc.IngestServiceServicer):
    def __init__(self) -> None:
        self.asked = []

    def IngestPhoto(self, request, context):
        self.asked.append(request.item)
        return ingest_service_pb2.IngestPhotoResponse(ack=self._ack(request.item, request.collection))

    def StreamIngest(self, request_iterator, context):
        for request in items_of(request_iterator):
            if request.WhichOneof("item") == "photo":
                self.asked.append(request.photo)
                yield ingest_service_pb2.StreamIngestResponse(item_id=request.item_id, photo_ack=self._ack(request.photo, request.collection))
            else:
                self.asked.append(request.face)
                yield ingest_service_pb2.StreamIngestResponse(item_id=request.item_id, ack=ingest_service_pb2.IngestAck(point_id="p"))

    @staticmethod
    def _ack(item, collection):
        count = 0 if item.job_id == "empty" else 2
        faces = [ingest_service_pb2.StoredFace(point_id=f"{item.job_id}-{index}", face=face(index)) for index in range(count)]
        image = ingest_service_pb2.IngestAck(point_id=item.job_id) if item.with_image else None
        return ingest_service_pb2.PhotoAck(collection=collection, faces=faces, left_out=[LEFT_OUT], removed_count=1, photo=PHOTO, image=image)


class PersonsDouble(person_service_pb2_grpc.PersonServiceServicer):
    def __init__(self) -> None:
        self.asked = []

    def ListPersons(self, request, context):
        cover = point_pb2.VectorPoint(point_id="a-0", payload=point_pb2.Payload(job_id="a"))
        if not request.page_token:
            return person_service_pb2.ListPersonsResponse(persons=[person_service_pb2.Person(name="Ada", face_count=2, cover=cover)], next_page_token="2", unnamed_count=3)
        return person_service_pb2.ListPersonsResponse(persons=[person_service_pb2.Person(name="Bob", face_count=1)], unnamed_count=3)

    def NamePerson(self, request, context):
        self.asked.append(request)
        if request.person == "busy":
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
        return person_service_pb2.NamePersonResponse(change_id="c1", changed_count=len(request.point_ids))

    def MergePersons(self, request, context):
        self.asked.append(request)
        return person_service_pb2.MergePersonsResponse(change_id="c2", changed_count=3)

    def SplitPerson(self, request, context):
        self.asked.append(request)
        return person_service_pb2.SplitPersonResponse(change_id="c3", changed_count=1)

    def UndoPersonChange(self, request, context):
        self.asked.append(request)
        return person_service_pb2.UndoPersonChangeResponse(restored_count=2, skipped_count=1)

    def ClusterFaces(self, request, context):
        self.asked.append(request)

        def group(index, *ids):
            faces = [person_service_pb2.ClusteredFace(point_id=point_id, similarity=0.5, joined=True) for point_id in ids]
            return person_service_pb2.ClusterFacesResponse(person=person_service_pb2.PersonGroup(index=index, person="Ada" if index == 0 else "", faces=faces))

        yield person_service_pb2.ClusterFacesResponse(progress=person_service_pb2.ClusterProgress(read_count=1, compared_count=0, total_count=4))
        yield group(0, "a-0", "b-0")
        yield group(0, "c-0")
        yield group(1, "d-0")
        if request.min_faces == 7:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many faces")
        summary = person_service_pb2.ClusterSummary(person_count=2, grouped_count=4, ungrouped_count=1, threshold=0.375, change_id="c4" if request.apply else "")
        yield person_service_pb2.ClusterFacesResponse(summary=summary)


class StoreDouble(vector_store_service_pb2_grpc.VectorStoreServiceServicer):
    def SearchVectors(self, request, context):
        self.asked = request
        points = [
            vector_store_service_pb2.ScoredPoint(score=0.5, point=point_pb2.VectorPoint(point_id="a"), same_person=True),
            vector_store_service_pb2.ScoredPoint(score=0.25, point=point_pb2.VectorPoint(point_id="b")),
        ]
        return vector_store_service_pb2.SearchVectorsResponse(results=[vector_store_service_pb2.SearchResult(points=points)])


class DoubleTests(unittest.TestCase):
    """Against a server in this process."""

    def setUp(self) -> None:
        self.faces, self.ingest, self.persons, self.store = FacesDouble(), IngestDouble(), PersonsDouble(), StoreDouble()
        server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        face_service_pb2_grpc.add_FaceServiceServicer_to_server(self.faces, server)
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(self.ingest, server)
        person_service_pb2_grpc.add_PersonServiceServicer_to_server(self.persons, server)
        vector_store_service_pb2_grpc.add_VectorStoreServiceServicer_to_server(self.store, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(server.stop, None)
        self.connection = Connection(f"http://127.0.0.1:{port}")
        self.addCleanup(self.connection.close)

    def test_faces_have_the_values_of_the_contract(self) -> None:
        found = Faces(connection=self.connection).detect_faces(b"jpeg", return_crops=True)
        first = found.faces[0]
        self.assertEqual(first.bbox, {"x": 10, "y": 20, "width": 80, "height": 90})
        self.assertEqual(first.landmarks["right_mouth_corner"], {"x": 4, "y": 8})
        self.assertEqual((first.confidence, first.quality["overall"], first.quality["sharpness"]), (0.875, 0.5, 0.25))
        self.assertEqual((first.pose, first.liveness, first.embedding, first.crop_png), ({"yaw": 10, "pitch": -5, "roll": 2}, None, None, b"png"))
        self.assertIsNone(found.faces[1].crop_png)
        self.assertEqual([(left.reason, left.message, left.bbox["height"]) for left in found.left_out], [("TOO_SMALL", "too small", 4)])
        self.assertEqual((found.photo.width, found.photo.exif_orientation, found.photo.rotation), (640, 6, 90))

    def test_options_are_sent_and_those_not_set_are_absent(self) -> None:
        faces = Faces(connection=self.connection)
        faces.detect_faces(b"jpeg")
        self.assertFalse(self.faces.asked[-1].HasField("options"))
        faces.detect_faces(b"jpeg", FaceOptions(max_faces=3, min_quality=0.25, try_rotations=True))
        options = self.faces.asked[-1].options
        self.assertEqual((options.max_faces, options.min_quality, options.try_rotations), (3, 0.25, True))
        self.assertFalse(options.HasField("min_confidence"))
        with self.assertRaises(InvalidInput):
            faces.detect_faces(b"jpeg", FaceOptions(max_faces=2.5))  # type: ignore[arg-type]

    def test_embedded_faces_have_vectors(self) -> None:
        found = Faces(connection=self.connection).embed_faces(b"jpeg", model="m").faces[0]
        np.testing.assert_allclose(found.embedding, [0.6, 0.8], rtol=1e-6)
        self.assertEqual((found.model, self.faces.asked[-1].model), ("m", "m"))

    def test_pairs_may_have_no_verdict(self) -> None:
        compared = Faces(connection=self.connection).compare_faces(b"1", b"2", threshold=0.375)
        self.assertEqual([(pair.similarity, pair.same_person) for pair in compared.pairs], [(0.5, True), (0.25, None)])
        self.assertEqual((len(compared.first), len(compared.second), compared.threshold, compared.model), (1, 2, 0.375, "m"))
        with self.assertRaises(InvalidInput) as caught:
            Faces(connection=self.connection).compare_faces(b"1", b"unknown")
        self.assertEqual(caught.exception.message, "no image")

    def test_an_unknown_face_has_no_person(self) -> None:
        found = Faces(connection=self.connection).identify_faces(b"1", collection="c", filter={"person": {"exists": True}})
        self.assertEqual([(one.person, [match.point_id for match in one.persons]) for one in found.faces], [("Ada", ["a-0"]), ("", [])])
        request = self.faces.asked[-1]
        self.assertEqual((request.collection, request.max_persons, request.filter.attributes[0].exists), ("c", 3, True))

    def test_arrays_are_rgb_unless_bgr_is_stated(self) -> None:
        faces, array = Faces(connection=self.connection), np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
        faces.detect_faces(array)
        self.assertEqual(self.faces.asked[-1].photo.pixels.format, image_pb2.PIXEL_FORMAT_RGB8)
        faces.detect_faces(array, color_order="BGR")
        self.assertEqual(self.faces.asked[-1].photo.pixels.format, image_pb2.PIXEL_FORMAT_BGR8)
        self.assertEqual(self.faces.asked[-1].photo.pixels.data, bytes(range(18)))
        with self.assertRaises(InvalidInput) as caught:
            faces.detect_faces(array, color_order="GBR")
        self.assertEqual(caught.exception.field, "color_order")

    def test_photos_are_ingested_one_by_one_and_in_a_stream(self) -> None:
        item = PhotoItem("a", b"jpeg", "m", {"person": "Ada"}, FaceOptions(max_faces=1), with_image=True)
        ingest = Ingest(connection=self.connection)
        single = ingest.ingest_photo(item, collection="c")
        self.assertEqual(([stored.point_id for stored in single.faces], single.removed, single.left_out[0].reason), (["a-0", "a-1"], 1, "TOO_SMALL"))
        self.assertEqual((self.ingest.asked[-1].attributes["person"], self.ingest.asked[-1].options.max_faces), ("Ada", 1))
        results = list(ingest.ingest_photos([item, PhotoItem("bad", b""), PhotoItem("empty", b"jpeg")], collection="c"))
        self.assertEqual([result.ok for result in results], [True, False, True])
        self.assertEqual((results[0].point_id, results[0].collection, len(results[0].photo.faces)), ("a", "c", 2))
        self.assertEqual((results[1].error.reason, results[1].error.field, results[1].photo), ("IMAGE_EMPTY", "photo.photo.encoded", None))
        self.assertEqual((results[2].point_id, results[2].photo.faces, results[2].photo.removed), ("", [], 1))

    def test_a_stream_may_mix_kinds(self) -> None:
        results = list(Ingest(connection=self.connection).stream([PhotoItem("a", b"1"), FaceItem("b", 0, b"1", aligned=True)]))
        self.assertEqual([result.photo is None for result in results], [False, True])
        self.assertTrue(self.ingest.asked[-1].face.aligned)

    def test_persons_are_listed_page_by_page(self) -> None:
        persons = Persons(connection=self.connection)
        self.assertEqual([(person.name, person.face_count, person.cover) for person in persons.list()], [("Ada", 2, {"id": "a-0", "job_id": "a"}), ("Bob", 1, None)])
        self.assertEqual(persons.unnamed_count(), 3)

    def test_changes_of_persons(self) -> None:
        persons = Persons(collection="c", connection=self.connection)
        change = persons.name(["a-0", "b-0"], "Ada")
        self.assertEqual((change.change_id, change.changed), ("c1", 2))
        persons.name("a-0", "Ada")
        self.assertEqual((self.persons.asked[-1].collection, list(self.persons.asked[-1].point_ids)), ("c", ["a-0"]))
        self.assertEqual(persons.merge("Ada", "Bob").changed, 3)
        self.assertEqual((list(self.persons.asked[-1].persons), self.persons.asked[-1].into), (["Ada"], "Bob"))
        self.assertEqual(persons.split("Ada", ["a-0"]).change_id, "c3")
        self.assertEqual(self.persons.asked[-1].new_person, "")
        undone = persons.undo(change)
        self.assertEqual((undone.restored, undone.skipped, self.persons.asked[-1].change_id), (2, 1, "c1"))

    def test_a_change_is_not_retried(self) -> None:
        with self.assertRaises(EmbeddingsError) as caught:
            Persons(connection=self.connection).name("a-0", "busy")
        self.assertEqual((caught.exception.code, len(self.persons.asked)), (grpc.StatusCode.UNAVAILABLE, 1))

    def test_a_person_may_be_split_over_messages(self) -> None:
        seen = []
        found = Persons(connection=self.connection).cluster(apply=True, progress=lambda *counts: seen.append(counts))
        self.assertEqual([(group.name, [one.point_id for one in group.faces]) for group in found.persons], [("Ada", ["a-0", "b-0", "c-0"]), ("", ["d-0"])])
        self.assertEqual((found.grouped, found.ungrouped, found.threshold, found.change_id, seen), (4, 1, 0.375, "c4", [(1, 0, 4)]))
        with self.assertRaises(EmbeddingsError) as caught:
            Persons(connection=self.connection).cluster(min_faces=7)
        self.assertEqual((caught.exception.code, caught.exception.message), (grpc.StatusCode.RESOURCE_EXHAUSTED, "too many faces"))

    def test_search_results_say_whether_it_is_the_same_person(self) -> None:
        found = QdrantFaceStore(connection=self.connection).search([1.0], filter={"person": {"exists": False}})
        self.assertEqual(found, [{"id": "a", "score": 0.5, "same_person": True}, {"id": "b", "score": 0.25}])
        condition = self.store.asked.filter.attributes[0]
        self.assertEqual((condition.WhichOneof("condition"), condition.exists), ("exists", False))

    def test_face_analysis_has_the_convention_of_insightface(self) -> None:
        app = FaceAnalysis(name="buffalo_l", providers=["CPUExecutionProvider"], connection=self.connection)
        app.prepare(ctx_id=0, det_size=(640, 640))
        (found,) = app.get(np.zeros((4, 4, 3), np.uint8))
        np.testing.assert_array_equal(found.bbox, np.array([10, 20, 90, 110], np.float32))
        np.testing.assert_array_equal(found["kps"], np.array([[number, 2 * number] for number in range(5)], np.float32))
        self.assertEqual((found.bbox.dtype, found.kps.dtype, found.kps.shape, found.det_score), (np.float32, np.float32, (5, 2), 0.875))
        np.testing.assert_array_equal(found.pose, np.array([-5, 10, 2], np.float32))
        np.testing.assert_allclose(found.normed_embedding, [0.6, 0.8], rtol=1e-6)
        self.assertIs(found.embedding, found["normed_embedding"])
        self.assertEqual((found.embedding.dtype, found.age, found.gender), (np.float32, None, None))
        found.name = "Ada"
        self.assertEqual((found["name"], copy.deepcopy(found).name), ("Ada", "Ada"))
        request = self.faces.asked[-1]
        self.assertEqual((request.photo.pixels.format, request.options.max_faces), (image_pb2.PIXEL_FORMAT_BGR8, 1000))
        self.assertFalse(request.options.HasField("min_confidence"))

    def test_face_analysis_may_only_detect(self) -> None:
        app = FaceAnalysis(allowed_modules=["detection"], connection=self.connection, options=FaceOptions(min_face_size=20))
        app.prepare(ctx_id=-1, det_thresh=0.25)
        found = app.get(b"jpeg", max_num=2)
        self.assertEqual(([one.embedding for one in found], "embedding" in found[0]), ([None, None], False))
        options = self.faces.asked[-1].options
        self.assertEqual((options.max_faces, options.min_face_size, options.min_confidence), (2, 20, 0.25))
        for number in (-1, 1001):
            with self.assertRaises(InvalidInput):
                app.get(b"jpeg", max_num=number)

    @unittest.skipIf(Image is None, "Pillow is not installed")
    def test_all_forms_of_a_photo_are_accepted(self) -> None:
        faces, picture = Faces(connection=self.connection), Image.open(SAMPLE).convert("RGB")
        encoded, pixels = (SAMPLE, str(SAMPLE), SAMPLE.read_bytes()), (picture, np.asarray(picture), np.asarray(picture.convert("L")))
        for form, source in [*((form, "encoded") for form in encoded), *((form, "pixels") for form in pixels)]:
            with self.subTest(type(form)):
                faces.detect_faces(form)
                self.assertEqual(self.faces.asked[-1].photo.WhichOneof("source"), source)


@needs_server
class PhotoTests(unittest.TestCase):
    """Against a server with a detector."""

    def test_a_photo_without_faces_is_not_an_error(self) -> None:
        gray = np.full((120, 160, 3), 128, np.uint8)
        with Faces() as faces, Ingest() as ingest:
            found = faces.detect_faces(gray)
            self.assertEqual((found.faces, found.photo.width, found.photo.height), ([], 160, 120))
            self.assertEqual(faces.embed_faces(gray).faces, [])
            collection = unique("photos")
            (result,) = ingest.ingest_photos([PhotoItem("gray", gray)], collection=collection)
            self.assertTrue(result.ok, result.error)
            self.assertEqual(result.photo.faces, [])

    def test_errors_of_photos_are_typed(self) -> None:
        with Faces() as faces:
            with self.assertRaises(InvalidInput) as caught:
                faces.detect_faces(b"not an image")
            self.assertEqual((caught.exception.reason, caught.exception.field), ("IMAGE_FORMAT_UNKNOWN", "photo.encoded"))
            with self.assertRaises(InvalidInput):
                faces.detect_faces(np.zeros((8, 8, 3), np.float32))
            with self.assertRaises(InvalidInput) as range_error:
                faces.detect_faces(SAMPLE, FaceOptions(max_faces=5000))
            self.assertTrue(range_error.exception.field)


