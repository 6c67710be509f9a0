import unittest

import numpy as np

from embeddings_client import EmbeddingsError, InvalidInput, QdrantFaceStore, QdrantImageStore

from .server import needs_server, unique


@needs_server
class StoresTests(unittest.TestCase):
    def setUp(self) -> None:
        self.faces = QdrantFaceStore(collection=unique("test_faces"))
        self.addCleanup(self.faces.close)
        self.vectors = np.random.default_rng(5).standard_normal((6, 64)).astype(np.float32)

    def fill(self) -> None:
        for index, vector in enumerate(self.vectors):
            job = f"job-{index % 2}"
            self.faces.add_vector(f"{job}-{index}", vector, {"job_id": job, "media_store_id": f"media-{index % 3}", "face_index": index, "shade": "dark"})

    def test_vectors_with_worker_payloads_can_be_stored_in_the_default_collection(self) -> None:
        face_embedding = np.random.default_rng(6).standard_normal(512).astype(np.float32)
        point_id = unique("job")
        face_store = QdrantFaceStore()
        self.addCleanup(face_store.close)
        payload = {"job_id": point_id, "face_index": 0, "bbox": {"x": 100, "y": 150, "width": 80, "height": 90}}
        face_store.add_vector(point_id=f"{point_id}-0", vec_f32=face_embedding, payload=payload)
        found = face_store.search(face_embedding, limit=1)
        # Present if a model of the server fills the collection.
        self.assertTrue(found[0].pop("same_person", True))
        self.assertEqual(found, [{"id": f"{point_id}-0", "score": found[0]["score"], **payload}])
        self.assertEqual(face_store.delete_by_job_id(point_id), 1)

    def test_vectors_round_trip(self) -> None:
        self.fill()
        point = self.faces.get_vector("job-1-3")
        np.testing.assert_array_equal(point["vector"], self.vectors[3])
        self.assertEqual({key: point[key] for key in ("id", "job_id", "media_store_id", "face_index", "shade")},
                         {"id": "job-1-3", "job_id": "job-1", "media_store_id": "media-0", "face_index": 3, "shade": "dark"})

    def test_search_is_cosine_best_first(self) -> None:
        self.fill()
        query = self.vectors[4] + 0.1 * self.vectors[1]
        norms = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(query)
        expected = np.sort(self.vectors @ query / norms)[::-1]
        found = self.faces.search(query, limit=6)
        np.testing.assert_allclose([result["score"] for result in found], expected, atol=1e-5)
        self.assertEqual(found[0]["id"], "job-0-4")
        self.assertEqual(len(self.faces.search(query, score_threshold=0.9)), 1)
        self.assertEqual(set(self.faces.search(query, limit=1, with_payload=False)[0]), {"id", "score"})

    def test_searches_can_be_continued_and_grouped(self) -> None:
        self.fill()
        query = self.vectors[4]
        everything = [result["id"] for result in self.faces.search(query, limit=6)]
        self.assertEqual([result["id"] for result in self.faces.search(query, limit=2, offset=3)], everything[3:5])
        groups = self.faces.search(query, limit=3, group_by="media_store_id")
        self.assertEqual(sorted(result["media_store_id"] for result in groups), ["media-0", "media-1", "media-2"])
        self.assertEqual(groups[0]["id"], everything[0])
        self.assertEqual(len(self.faces.search(query, limit=1, group_by=["shade"], group_size=4)), 4)
        self.assertEqual(len(self.faces.search(query, exact=True, group_by="person", limit=6)), 6)
        for group_by, group_size in (("media", 1), ("job_id", 0)):
            with self.assertRaises(InvalidInput):
                self.faces.search(query, group_by=group_by, group_size=group_size)

    def test_examples_are_combined(self) -> None:
        self.fill()
        directions = self.vectors / np.linalg.norm(self.vectors, axis=1, keepdims=True)
        expected = directions[0] + directions[2]
        expected = expected / np.linalg.norm(expected) - directions[5]
        scores = {f"job-{index % 2}-{index}": directions[index] @ expected / np.linalg.norm(expected) for index in (1, 2, 3, 4)}
        found = self.faces.search_examples(["job-0-0", self.vectors[2]], ["job-1-5"], limit=6)
        self.assertEqual({result["id"] for result in found}, set(scores))
        for result in found:
            self.assertAlmostEqual(result["score"], scores[result["id"]], delta=1e-5)
        with self.assertRaises(InvalidInput) as raised:
            self.faces.search_examples([self.vectors[0]], [self.vectors[0]])
        self.assertEqual(raised.exception.reason, "VECTOR_ZERO")

    def test_media_items_and_jobs(self) -> None:
        self.fill()
        found = self.faces.search_by_media_store_id(self.vectors[0], "media-1")
        self.assertEqual({result["id"] for result in found}, {"job-1-1", "job-0-4"})
        self.assertEqual(self.faces.delete_by_job_id("job-1"), 3)
        self.assertEqual(self.faces.delete_by_job_id("job-1"), 0)
        self.assertEqual(self.faces.count(), 3)

    def test_filters_apply_to_search_list_count_and_delete(self) -> None:
        self.fill()
        self.faces.add_vector("other", self.vectors[0] + self.vectors[1], {"job_id": "job-9", "shade": "light", "depth": 7, "confidence": 0.25})
        dark, light = {"shade": "dark", "job_id": "job-1"}, {"shade": "light", "depth": {"gte": 7, "lt": 8}, "confidence": {"lte": 0.25}}
        self.assertEqual({point["id"] for point in self.faces.search(self.vectors[0], filter=dark)}, {"job-1-1", "job-1-3", "job-1-5"})
        self.assertEqual([point["id"] for point in self.faces.search(self.vectors[0], filter=light)], ["other"])
        self.assertEqual([point["id"] for point in self.faces.list(light)], ["other"])
        self.assertEqual((self.faces.count(dark), self.faces.count(light), self.faces.count()), (3, 1, 7))
        self.assertEqual((self.faces.delete(filter=light), self.faces.delete(filter=light)), (1, 0))
        self.assertEqual((self.faces.delete("job-1-1"), self.faces.delete(["job-1-3", "missing"]), self.faces.delete([])), (1, 1, 0))
        self.assertEqual(self.faces.count(), 4)
        for invalid in ({}, {"point_ids": "a", "filter": dark}, {"filter": {}}):
            with self.assertRaises(InvalidInput):
                self.faces.delete(**invalid)
        self.assertEqual(self.faces.count(), 4)

    def test_points_are_listed_page_by_page(self) -> None:
        self.fill()
        points = {point["id"]: point for point in self.faces.list(with_vectors=True, page_size=4)}
        self.assertEqual(len(points), 6)
        np.testing.assert_array_equal(points["job-1-3"]["vector"], self.vectors[3])
        self.assertEqual(points["job-1-3"]["face_index"], 3)
        self.assertNotIn("vector", next(self.faces.list()))
        with QdrantFaceStore(collection=unique("missing")) as missing:
            self.assertEqual(list(missing.list()), [])
        with self.assertRaises(InvalidInput):
            self.faces.list(page_size=0)

    def test_vectors_are_added_in_a_stream(self) -> None:
        vectors = np.random.default_rng(8).standard_normal((1500, 64)).astype(np.float32)
        points = ((f"point-{number}", vector, {"number": number}) for number, vector in enumerate(vectors))
        self.assertEqual((self.faces.add_vectors(points), self.faces.count()), (1500, 1500))
        point = self.faces.get_vector("point-1234")
        np.testing.assert_array_equal(point["vector"], vectors[1234])
        self.assertEqual(point["number"], 1234)
        errors = {}
        mixed = [("good", vectors[0]), ("zero", np.zeros(64, np.float32)), ("shape", vectors), ("list", [0.5] * 64, None)]
        self.assertEqual(self.faces.add_vectors(mixed, on_error=lambda point_id, error: errors.update({point_id: error.reason})), 2)
        self.assertEqual(errors, {"zero": "VECTOR_ZERO", "shape": "DIMENSION_MISMATCH"})
        for bad in mixed[1:3]:
            with self.assertRaises(EmbeddingsError):
                self.faces.add_vectors([bad])

    def test_missing_points_are_none_false_or_empty(self) -> None:
        self.assertIsNone(self.faces.get_vector("missing"))
        self.assertEqual((self.faces.search(self.vectors[0]), self.faces.count(), self.faces.delete_vector("missing")), ([], 0, False))
        self.fill()
        self.assertIsNone(self.faces.get_vector("missing"))
        self.assertTrue(self.faces.delete_vector("job-0-0"))
        self.assertFalse(self.faces.delete_vector("job-0-0"))

    def test_invalid_input_names_its_field(self) -> None:
        self.fill()
        cases = [
            lambda: self.faces.add_vector("", self.vectors[0]),
            lambda: self.faces.add_vector("a", np.full(64, np.nan, np.float32)),
            lambda: self.faces.add_vector("a", np.zeros(64, np.float32)),
            lambda: self.faces.add_vector("a", self.vectors),
            lambda: self.faces.search(self.vectors[0], limit=0),
            lambda: self.faces.search(self.vectors[0], limit=5000),
            lambda: self.faces.search_by_media_store_id(self.vectors[0], ""),
            lambda: self.faces.delete_by_job_id(""),
            lambda: QdrantImageStore(collection="no/name").add_vector("a", self.vectors[0]),
        ]
        for number, case in enumerate(cases):
            with self.subTest(number), self.assertRaises(InvalidInput) as caught:
                case()
            self.assertTrue(caught.exception.field)
            self.assertTrue(caught.exception.reason)
        with self.assertRaises(EmbeddingsError) as other:
            self.faces.add_vector("a", self.vectors[0][:10])
        self.assertEqual(other.exception.reason, "DIMENSION_MISMATCH")
