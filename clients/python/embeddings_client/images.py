"""Conversion of files, bytes, arrays, and Pillow images to image messages."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, Mapping, Optional, Protocol, Sequence, Tuple, Union

from .errors import InvalidInput
from .stubs.embeddings.v1 import image_pb2

if TYPE_CHECKING:
    from numpy.typing import NDArray


class PillowImage(Protocol):
    """An image of Pillow, which is optional, like numpy."""

    @property
    def mode(self) -> str: ...

    @property
    def size(self) -> Tuple[int, int]: ...

    def tobytes(self, encoder_name: str = ..., *args: Any) -> bytes: ...


#: An image, in one of these forms:
#:
#: - The path of a JPEG, PNG, WebP, GIF, TIFF, or AVIF file, as a str or a path-like object.
#: - The content of such a file.
#: - A Pillow image. Its orientation and its color profile are applied as for a file.
#: - An HxWx3 or HxW (grayscale) uint8 array of any size. The color channels are red, green, blue, unless a method says
#:   otherwise or has the argument `color_order`.
#: - An HxWx3 float array that has the model's input size and whose values are already on the model's scale.
ImageLike = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, PillowImage, "NDArray[Any]"]

#: A face: an image (see `ImageLike`), or a dict with the keys ``image`` (required), ``landmarks`` (see `to_landmarks`), and
#: ``aligned`` (True if the image is an aligned crop, whatever its size and shape).
FaceLike = Union[ImageLike, Mapping[str, Any]]

LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")


#: Orders of the color channels of uint8 arrays. "BGR" is that of OpenCV.
COLOR_ORDERS = ("RGB", "BGR")


def to_image(
    buffer: ImageLike, input_size: Optional[Tuple[int, int]] = None, field: str = "image", color_order: str = "RGB"
) -> image_pb2.Image:
    """Converts an image to a message.

    Args:
        buffer: Image; see `ImageLike`. Float arrays are sent as RGB_F32, which the server never rescales.
        input_size: Height and width required of float arrays, in pixels. If None, the server checks the size.
        field: Path of the image in error messages.
        color_order: Order of the color channels if the image is an array: "RGB" or "BGR".

    Raises:
        InvalidInput: If the image is empty or has an unsupported type, shape, or size, or if the file cannot be read.
    """
    if isinstance(buffer, (str, os.PathLike)):
        buffer = _read(buffer, field)
    if isinstance(buffer, (bytes, bytearray, memoryview)):
        if len(buffer) == 0:
            raise InvalidInput("IMAGE_EMPTY", f"{field}.encoded", "The image is empty: it has 0 bytes.")
        return image_pb2.Image(encoded=bytes(buffer))
    other: Any = buffer
    if _is(other, "PIL.Image", "Image"):
        return _pillow(other, field)
    if _is(other, "numpy", "ndarray"):
        return _array(other, input_size, f"{field}.pixels", color_order)
    expected = "a path, bytes, a Pillow image, or a numpy array"
    raise InvalidInput("FIELD_INVALID", field, f"The image must be {expected}; got {type(buffer).__name__}.")


def to_face(
    buffer: FaceLike,
    landmarks: Any = None,
    input_size: Optional[Tuple[int, int]] = None,
    field: str = "face",
    aligned: bool = False,
) -> image_pb2.FaceCrop:
    """Converts a face to a message.

    Args:
        buffer: Face; see `FaceLike`.
        landmarks: Five points as in `to_landmarks`, or None. Overrides those of `buffer`.
        input_size: Height and width required of float arrays, in pixels. If None, the server checks the size.
        field: Path of the face in error messages.
        aligned: Whether the image is an aligned crop, whatever its size and shape. Without it, the server rejects an image
            without landmarks that is plainly a whole photo.

    Raises:
        InvalidInput: If the image or the landmarks are invalid.
    """
    image: Any = buffer
    if isinstance(buffer, Mapping):
        if "image" not in buffer or any(key not in ("image", "landmarks", "aligned") for key in buffer):
            keys = ", ".join(str(key) for key in buffer) or "none"
            message = f"A face must be an image or a dict with the keys image, landmarks, and aligned; got the keys {keys}."
            raise InvalidInput("FIELD_INVALID", field, message)
        image = buffer["image"]
        landmarks = buffer.get("landmarks") if landmarks is None else landmarks
        aligned = aligned or bool(buffer.get("aligned"))
    face = image_pb2.FaceCrop(image=to_image(image, input_size, f"{field}.image"), aligned=aligned)
    if landmarks is not None:
        face.landmarks.CopyFrom(to_landmarks(landmarks, f"{field}.landmarks"))
    return face


def to_landmarks(points: Any, field: str = "landmarks") -> image_pb2.FaceLandmarks:
    """Converts five points to a message.

    Args:
        points: Points in pixels of the crop: a dict from the names in `LANDMARKS` to ``{"x", "y"}``, or five pairs (x, y) in
            this order, for example a 5x2 array.
        field: Path of the landmarks in error messages.

    Raises:
        InvalidInput: If a point is missing or is not a pair of numbers.
    """
    try:
        if isinstance(points, Mapping):
            pairs = [(float(points[name]["x"]), float(points[name]["y"])) for name in LANDMARKS]
        else:
            pairs = [(float(x), float(y)) for x, y in points]
            if len(pairs) != len(LANDMARKS):
                raise ValueError(f"got {len(pairs)} points")
    except (KeyError, TypeError, ValueError) as error:
        message = f"landmarks must be the five points {', '.join(LANDMARKS)}: {error}"
        raise InvalidInput("LANDMARKS_INVALID", field, message) from None
    return image_pb2.FaceLandmarks(**{name: image_pb2.Point(x=x, y=y) for name, (x, y) in zip(LANDMARKS, pairs)})


def to_bbox(box: Union[Mapping[str, Any], Sequence[float]], field: str = "bbox") -> image_pb2.BoundingBox:
    """Converts a dict with x, y, width, and height, or these four values, in pixels of the source image."""
    try:
        values = [float(box[name]) for name in ("x", "y", "width", "height")] if isinstance(box, Mapping) else [float(value) for value in box]
        x, y, width, height = values
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"bbox must have x, y, width, and height: {error}") from None
    return image_pb2.BoundingBox(x=x, y=y, width=width, height=height)


def _is(value: object, module: str, name: str) -> bool:
    # A value of an optional package's type exists only if the package has been imported.
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _read(path: Union[str, os.PathLike[str]], field: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput("FIELD_INVALID", field, f"The image file '{os.fspath(path)}' cannot be read: {reason}.") from error


def _pillow(image: Any, field: str) -> image_pb2.Image:
    try:
        if 0 in image.size:
            raise InvalidInput("IMAGE_EMPTY", f"{field}.pixels", f"The image is empty: its size is {image.size}.")
        image = importlib.import_module("PIL.ImageOps").exif_transpose(image)
        profile = image.info.get("icc_profile")
        if image.mode in ("RGB", "L") and not profile:
            pixel_format = image_pb2.PIXEL_FORMAT_RGB8 if image.mode == "RGB" else image_pb2.PIXEL_FORMAT_GRAY8
            return _pixels(image.width, image.height, pixel_format, image.tobytes())
        # The server handles palettes, transparency, other color spaces, and profiles, as it does for files.
        content = io.BytesIO()
        image.save(content, "TIFF", icc_profile=profile)
        return image_pb2.Image(encoded=content.getvalue())
    except (OSError, ValueError, KeyError, SyntaxError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("FIELD_INVALID", field, f"The Pillow image (mode {image.mode}) cannot be read: {error}") from error


def _array(values: NDArray[Any], input_size: Optional[Tuple[int, int]], field: str, color_order: str) -> image_pb2.Image:
    if color_order not in COLOR_ORDERS:
        raise InvalidInput("FIELD_INVALID", "color_order", f"color_order must be RGB or BGR; got {color_order!r}.")
    is_rgb = color_order == "RGB"
    shape, color = values.shape, values.ndim == 3 and values.shape[2] == 3
    if 0 in shape:
        raise InvalidInput("IMAGE_EMPTY", field, f"The image is empty: its array has shape {shape}.")
    if values.dtype == "uint8":
        if not color and not (values.ndim == 2 or (values.ndim == 3 and shape[2] == 1)):
            message = f"A uint8 array must have shape HxWx3, HxW, or HxWx1; got {shape}."
            raise InvalidInput("PIXEL_SIZE_MISMATCH", field, message)
        colors = image_pb2.PIXEL_FORMAT_RGB8 if is_rgb else image_pb2.PIXEL_FORMAT_BGR8
        pixel_format = colors if color else image_pb2.PIXEL_FORMAT_GRAY8
    elif values.dtype.kind == "f":
        if not color:
            raise InvalidInput("PIXEL_SIZE_MISMATCH", field, f"A float array must have shape HxWx3; got {shape}.")
        if input_size is not None and shape[:2] != tuple(input_size):
            message = (
                f"A float array must have the model's input size, {input_size[0]}x{input_size[1]}x3; got {shape}. "
                "Use a uint8 array to let the server resize it."
            )
            raise InvalidInput("PIXEL_SIZE_MISMATCH", field, message)
        values = values.astype("<f4", copy=False)
        pixel_format = image_pb2.PIXEL_FORMAT_RGB_F32 if is_rgb else image_pb2.PIXEL_FORMAT_BGR_F32
    else:
        message = f"The array must have dtype uint8 or float32; got {values.dtype}."
        raise InvalidInput("PIXEL_FORMAT_INVALID", f"{field}.format", message)
    # tobytes writes rows contiguously, regardless of the array's strides.
    return _pixels(shape[1], shape[0], pixel_format, values.tobytes())


def _pixels(width: int, height: int, pixel_format: image_pb2.PixelFormat, data: bytes) -> image_pb2.Image:
    return image_pb2.Image(pixels=image_pb2.PixelBuffer(width=width, height=height, format=pixel_format, data=data))
