import tempfile
import unittest
from pathlib import Path

import grpc
import numpy as np

from embeddings_client import EmbeddingsError, FaceEmbeddingInference, ImageEmbeddingInference, InvalidInput

from .server import needs_server

try:
    from PIL import Image
except ImportError:
    Image = None  # type: ignore[assignment]

SAMPLE = Path(__file__).resolve().parents[2] / "testdata" / "sample.jpg"


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

    def test_all_forms_of_a_file_give_the_same_vector(self) -> None:
        with ImageEmbeddingInference() as inference:
            expected = inference.infer(SAMPLE.read_bytes())
            for form in (SAMPLE, str(SAMPLE), bytearray(SAMPLE.read_bytes())):
                np.testing.assert_allclose(inference.infer(form), expected, atol=1e-6)

    @unittest.skipIf(Image is None, "Pillow is not installed")
    def test_a_pillow_image_gives_the_vector_of_its_file(self) -> None:
        array = np.random.default_rng(9).integers(0, 256, (60, 90, 3), dtype=np.uint8)
        with tempfile.TemporaryDirectory() as folder, ImageEmbeddingInference() as inference:
            for mode in ("RGB", "L", "P", "RGBA"):
                path = Path(folder, f"{mode}.png")
                Image.fromarray(array).convert(mode).save(path)
                with self.subTest(mode), Image.open(path) as image:
                    np.testing.assert_allclose(inference.infer(image), inference.infer(path), atol=1e-5)

    def test_landmarks_align_the_face(self) -> None:
        # The template that models of 112x112 pixels are trained with, moved.
        template = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
        crop = np.random.default_rng(10).integers(0, 256, (112, 112, 3), dtype=np.uint8)
        canvas = np.zeros((200, 200, 3), np.uint8)
        canvas[40:152, 30:142] = crop
        moved = template + [30, 40]
        with FaceEmbeddingInference() as inference:
            aligned = inference.infer(crop)
            for vector in (
                inference.infer(canvas, landmarks=moved),
                inference.infer({"image": canvas, "landmarks": moved.tolist()}),
                inference.infer_batch({"face": {"image": canvas, "landmarks": moved}})["face"],
            ):
                self.assertGreater(float(vector @ aligned), 0.99)
            self.assertLess(float(inference.infer(canvas) @ aligned), 0.9)
            with self.assertRaises(InvalidInput) as caught:
                inference.infer(canvas, landmarks=moved[:4])
        self.assertEqual(caught.exception.reason, "LANDMARKS_INVALID")

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
