import io
import tempfile
import unittest
from pathlib import Path

import numpy as np

try:
    from PIL import Image, ImageCms
except ImportError:
    Image = None  # type: ignore[assignment]

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
        for bad in (b"", "missing.jpg", 7, {"image": b"1"}, None, np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2, 3), np.uint8), np.zeros((2, 2, 3), np.int32), np.zeros(3, np.float32)):
            with self.subTest(bad=type(bad)), self.assertRaises(InvalidInput) as caught:
                to_image(bad)
            self.assertTrue(caught.exception.field.startswith("image"))
            self.assertIsInstance(caught.exception, EmbeddingsError)

    def test_paths_are_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "photo.jpg")
            path.write_bytes(b"content")
            self.assertEqual(to_image(path).encoded, b"content")
            self.assertEqual(to_image(str(path)).encoded, b"content")
            with self.assertRaisesRegex(InvalidInput, "missing.jpg' cannot be read: No such file"):
                to_image(Path(folder, "missing.jpg"))

    def test_a_face_may_be_a_dict_with_landmarks(self) -> None:
        points = [(1.0, 2.0)] * 5
        self.assertEqual(to_face({"image": b"1", "landmarks": points}), to_face(b"1", points))
        self.assertFalse(to_face({"image": b"1"}).HasField("landmarks"))
        for bad in ({}, {"landmarks": points}, {"image": b"1", "landmark": points}):
            with self.assertRaises(InvalidInput):
                to_face(bad)

    @unittest.skipIf(Image is None, "Pillow is not installed")
    def test_pillow_images(self) -> None:
        array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        self.assertEqual(to_image(Image.fromarray(array)), to_image(array))
        self.assertEqual(to_image(Image.fromarray(array[..., 0])), to_image(array[..., 0]))
        with self.assertRaises(InvalidInput) as caught:
            to_image(Image.new("RGB", (0, 3)))
        self.assertEqual(caught.exception.reason, "IMAGE_EMPTY")

    @unittest.skipIf(Image is None, "Pillow is not installed")
    def test_the_orientation_of_a_pillow_image_is_applied(self) -> None:
        array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        image = Image.fromarray(array)
        image.getexif()[0x0112] = 6  # Rotate by 90 degrees clockwise.
        self.assertEqual(to_image(image), to_image(np.rot90(array, -1)))

    @unittest.skipIf(Image is None, "Pillow is not installed")
    def test_pillow_images_with_other_modes_or_a_profile_are_sent_as_files(self) -> None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        for mode in ("1", "P", "RGBA", "LA", "CMYK", "I;16"):
            with self.subTest(mode):
                sent = Image.open(io.BytesIO(to_image(Image.new(mode, (3, 2))).encoded))
                self.assertEqual((sent.format, sent.mode, sent.size), ("TIFF", mode, (3, 2)))
        image = Image.new("RGB", (3, 2))
        image.info["icc_profile"] = profile
        self.assertEqual(Image.open(io.BytesIO(to_image(image).encoded)).info["icc_profile"], profile)

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

    def test_the_color_order_of_arrays_can_be_stated(self) -> None:
        array = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
        self.assertEqual(to_image(array, color_order="BGR").pixels.format, image_pb2.PIXEL_FORMAT_BGR8)
        self.assertEqual(to_image(array[..., 0], color_order="BGR").pixels.format, image_pb2.PIXEL_FORMAT_GRAY8)
        self.assertEqual(to_image(array.astype(np.float32), color_order="BGR").pixels.format, image_pb2.PIXEL_FORMAT_BGR_F32)
        with self.assertRaises(InvalidInput) as caught:
            to_image(array, color_order="rgb")
        self.assertEqual(caught.exception.field, "color_order")

    def test_a_face_may_be_marked_as_aligned(self) -> None:
        self.assertTrue(to_face({"image": b"1", "aligned": True}).aligned)
        self.assertTrue(to_face(b"1", aligned=True).aligned)
        self.assertFalse(to_face(b"1").aligned)
