import unittest

import numpy as np

from embeddings_client.errors import EmbeddingsError, InvalidInput
from embeddings_client.images import to_bbox, to_face, to_image, to_landmarks
from embeddings_client.stubs.embeddings.v1 import image_pb2


class ImagesTests(unittest.TestCase):
    def test_uint8_arrays_are_row_major_rgb(self) -> None:
        array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        pixels = to_image(array).pixels
        self.assertEqual((pixels.width, pixels.height, pixels.format), (3, 2, image_pb2.PIXEL_FORMAT_RGB8))
        self.assertEqual(pixels.data, bytes(range(18)))

    def test_views_are_sent_in_row_major_order(self) -> None:
        array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        self.assertEqual(to_image(array[:, ::-1]).pixels.data, np.ascontiguousarray(array[:, ::-1]).tobytes())
        self.assertEqual(to_image(np.asfortranarray(array)).pixels.data, array.tobytes())

    def test_floats_are_sent_little_endian(self) -> None:
        array = np.linspace(-1, 1, 4 * 4 * 3).reshape(4, 4, 3)
        expected = array.astype("<f4").tobytes()
        for dtype in ("<f4", ">f4", "<f8"):
            pixels = to_image(array.astype(dtype), (4, 4)).pixels
            self.assertEqual(pixels.format, image_pb2.PIXEL_FORMAT_RGB_F32)
            self.assertEqual(pixels.data, expected)

    def test_floats_of_another_size_are_rejected_with_the_expected_size(self) -> None:
        with self.assertRaisesRegex(ValueError, "224x224x3") as caught:
            to_image(np.zeros((10, 20, 3), np.float32), (224, 224))
        self.assertEqual(caught.exception.reason, "PIXEL_SIZE_MISMATCH")

    def test_grayscale_arrays(self) -> None:
        for shape in ((5, 4), (5, 4, 1)):
            self.assertEqual(to_image(np.zeros(shape, np.uint8)).pixels.format, image_pb2.PIXEL_FORMAT_GRAY8)

    def test_invalid_images_are_rejected_with_a_field(self) -> None:
        for bad in (b"", "photo.jpg", None, np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2, 3), np.uint8), np.zeros((2, 2, 3), np.int32), np.zeros(3, np.float32)):
            with self.subTest(bad=type(bad)), self.assertRaises(InvalidInput) as caught:
                to_image(bad)
            self.assertTrue(caught.exception.field.startswith("image"))
            self.assertIsInstance(caught.exception, EmbeddingsError)

    def test_landmarks_by_name_and_by_position(self) -> None:
        array = np.arange(10.0).reshape(5, 2)
        by_position = to_landmarks(array)
        names = ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")
        self.assertEqual(by_position, to_landmarks({name: {"x": x, "y": y} for name, (x, y) in zip(names, array)}))
        self.assertEqual((by_position.nose.x, by_position.nose.y), (4.0, 5.0))
        with self.assertRaises(InvalidInput) as caught:
            to_face(b"x", np.zeros((4, 2)))
        self.assertEqual(caught.exception.field, "face.landmarks")

    def test_bbox_by_name_and_by_position(self) -> None:
        self.assertEqual(to_bbox({"x": 1, "y": 2, "width": 3, "height": 4}), to_bbox((1, 2, 3, 4)))
        for bad in ({"x": 1}, (1, 2, 3), 5, ("a", 1, 2, 3)):
            with self.assertRaises(InvalidInput):
                to_bbox(bad)  # type: ignore[arg-type]
