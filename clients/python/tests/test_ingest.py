import unittest

import numpy as np

from embeddings_client import FaceItem, Ingest, QdrantFaceStore, QdrantImageStore, process_face_embedding, process_image_embedding

from .server import needs_server, unique


@needs_server
class IngestTests(unittest.TestCase):
    def test_a_worker_step_for_faces(self) -> None:
        job = unique("job")
        rng = np.random.default_rng(8)
        crops = [
            {"image": rng.integers(0, 256, (112, 112, 3), dtype=np.uint8), "bbox": {"x": 1, "y": 2, "width": 3, "height": 4}, "confidence": 0.9},
            b"not an image",
            rng.integers(0, 256, (80, 80, 3), dtype=np.uint8),
        ]
        results = process_face_embedding(job, crops, "media-9")
        self.assertEqual([result.ok for result in results], [True, False, True])
        self.assertEqual((results[1].error.reason, results[1].error.field), ("IMAGE_FORMAT_UNKNOWN", "face.face.image.encoded"))
        self.assertEqual([results[0].point_id, results[2].point_id], [f"{job}-0", f"{job}-2"])
        with QdrantFaceStore() as store:
            point = store.get_vector(f"{job}-0")
            np.testing.assert_allclose(point["vector"], results[0].embedding, atol=1e-6)
            self.assertEqual((point["bbox"], point["confidence"], point["media_store_id"]), ({"x": 1, "y": 2, "width": 3, "height": 4}, 0.9, "media-9"))
            self.assertEqual(store.delete_by_job_id(job), 2)

    def test_a_worker_step_for_an_image(self) -> None:
        job = unique("job")
        result = process_image_embedding(job, np.random.randint(0, 256, (50, 60, 3), dtype=np.uint8), "media-9", attributes={"title": "one"})
        self.assertTrue(result.ok)
        with QdrantImageStore() as store:
            self.assertEqual(store.get_vector(job)["title"], "one")
            self.assertTrue(store.delete_vector(job))

    def test_sending_again_creates_no_duplicates(self) -> None:
        collection = unique("again")
        items = [FaceItem("job", index, np.full((20, 20, 3), 10 * index + 5, np.uint8) + np.arange(20, dtype=np.uint8)[:, None, None]) for index in range(5)]
        with Ingest() as ingest, QdrantFaceStore(collection=collection) as store:
            for _ in range(2):
                self.assertTrue(all(result.ok for result in ingest.stream(items, collection=collection)))
            self.assertEqual(store.count(), 5)
