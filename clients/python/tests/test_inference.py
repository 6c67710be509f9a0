import unittest

import grpc
import numpy as np

from embeddings_client import EmbeddingsError, FaceEmbeddingInference, ImageEmbeddingInference, InvalidInput

from .server import needs_server


@needs_server
class InferenceTests(unittest.TestCase):
    def test_a_float_image(self) -> None:
        image_inference = ImageEmbeddingInference(embedding_dim=512, input_size=(224, 224))
        self.addCleanup(image_inference.close)
        embedding = image_inference.infer(np.random.randn(224, 224, 3).astype(np.float32), label="image_1")
        self.assertEqual((embedding.shape, embedding.dtype), ((512,), np.float32))
        self.assertTrue(np.isfinite(embedding).all())

    def test_faces_have_norm_1(self) -> None:
        with FaceEmbeddingInference(embedding_dim=512, input_size=(112, 112)) as inference:
            for buffer in (np.random.randn(112, 112, 3).astype(np.float32), np.random.randint(0, 256, (90, 70, 3), dtype=np.uint8)):
                self.assertAlmostEqual(float(np.linalg.norm(inference.infer(buffer))), 1.0, places=5)

    def test_a_batch_equals_single_calls(self) -> None:
        rng = np.random.default_rng(7)
        buffers = {f"face_{i}": rng.integers(0, 256, (112, 112, 3), dtype=np.uint8) for i in range(20)}
        with FaceEmbeddingInference() as inference:
            batch = inference.infer_batch(buffers)
            self.assertEqual(list(batch), list(buffers))
            for label in ("face_0", "face_7", "face_19"):
                np.testing.assert_allclose(batch[label], inference.infer(buffers[label]), atol=1e-6)

    def test_a_failed_item_is_none_and_the_others_are_embedded(self) -> None:
        good = np.zeros((112, 112, 3), np.uint8) + np.arange(112, dtype=np.uint8)[:, None, None]
        with FaceEmbeddingInference() as inference, self.assertLogs("embeddings_client", "WARNING") as logs:
            batch = inference.infer_batch({"first": good, "invalid": b"not an image", "short": np.zeros((5, 5, 3), np.float32), "last": good})
        self.assertEqual([label for label, vector in batch.items() if vector is None], ["invalid", "short"])
        self.assertIn("IMAGE_FORMAT_UNKNOWN", logs.output[0])

    def test_errors_are_typed(self) -> None:
        with ImageEmbeddingInference() as inference, self.assertRaises(InvalidInput) as caught:
            inference.infer(b"not an image")
        self.assertEqual((caught.exception.reason, caught.exception.field), ("IMAGE_FORMAT_UNKNOWN", "image.encoded"))
        with ImageEmbeddingInference(model="missing") as inference, self.assertRaises(EmbeddingsError) as missing:
            inference.infer(np.zeros((8, 8, 3), np.uint8))
        self.assertEqual((missing.exception.code, missing.exception.reason), (grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"))
        with ImageEmbeddingInference(embedding_dim=128) as inference, self.assertRaises(EmbeddingsError) as other:
            inference.infer(np.full((8, 8, 3), 9, np.uint8))
        self.assertEqual(other.exception.reason, "DIMENSION_MISMATCH")
