"""Conversion of bytes and arrays to image messages."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInput
from .stubs.embeddings.v1 import image_pb2

#: An image: the content of a JPEG, PNG, WebP, GIF, TIFF, or AVIF file; an HxWx3 (RGB) or HxW (grayscale) uint8 array of
#: any size; or an HxWx3 float array of the model's input size whose values are already on the model's scale.
ImageLike = Union[bytes, bytearray, memoryview, NDArray[Any]]

LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")


def to_image(buffer: ImageLike, input_size: Optional[Tuple[int, int]] = None, field: str = "image") -> image_pb2.Image:
    """Converts an image to a message.

    Args:
        buffer: Image; see `ImageLike`. Float arrays are sent as RGB_F32, which the server never rescales.
        input_size: Height and width required of float arrays, in pixels. If None, the server checks the size.
        field: Path of the image in error messages.

    Raises:
        InvalidInput: If the image is empty or has an unsupported type, shape, or size.
    """
    if isinstance(buffer, (bytes, bytearray, memoryview)):
        if len(buffer) == 0:
            raise InvalidInput("IMAGE_EMPTY", f"{field}.encoded", "The image is empty: it has 0 bytes.")
        return image_pb2.Image(encoded=bytes(buffer))
    if not isinstance(buffer, np.ndarray):
        raise InvalidInput("FIELD_INVALID", field, f"The image must be bytes or a numpy array; got {type(buffer).__name__}.")
    shape_field = f"{field}.pixels"
    if 0 in buffer.shape:
        raise InvalidInput("IMAGE_EMPTY", shape_field, f"The image is empty: its array has shape {buffer.shape}.")
    if buffer.dtype == np.uint8:
        return _pixels(buffer, shape_field)
    if buffer.dtype.kind == "f":
        return _floats(buffer, input_size, shape_field)
    raise InvalidInput("PIXEL_FORMAT_INVALID", f"{shape_field}.format", f"The array must have dtype uint8 or float32; got {buffer.dtype}.")


def to_face(buffer: ImageLike, landmarks: Any = None, input_size: Optional[Tuple[int, int]] = None, field: str = "face") -> image_pb2.FaceCrop:
    """Converts a face to a message. `landmarks` are five points as in `to_landmarks`."""
    face = image_pb2.FaceCrop(image=to_image(buffer, input_size, f"{field}.image"))
    if landmarks is not None:
        face.landmarks.CopyFrom(to_landmarks(landmarks, f"{field}.landmarks"))
    return face


def to_landmarks(points: Any, field: str = "landmarks") -> image_pb2.FaceLandmarks:
    """Converts five points in pixels: a dict from the names in `LANDMARKS` to ``{"x", "y"}``, or a 5x2 array."""
    try:
        if isinstance(points, Mapping):
            pairs = [(float(points[name]["x"]), float(points[name]["y"])) for name in LANDMARKS]
        else:
            array = np.asarray(points, dtype=np.float64)
            if array.shape != (5, 2):
                raise ValueError(f"got shape {array.shape}")
            pairs = [(float(x), float(y)) for x, y in array]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("LANDMARKS_INVALID", field, f"landmarks must be the five points {', '.join(LANDMARKS)}: {error}") from None
    return image_pb2.FaceLandmarks(**{name: image_pb2.Point(x=x, y=y) for name, (x, y) in zip(LANDMARKS, pairs)})


def to_bbox(box: Union[Mapping[str, Any], Sequence[float]], field: str = "bbox") -> image_pb2.BoundingBox:
    """Converts a dict with x, y, width, and height, or these four values, in pixels of the source image."""
    try:
        values = [float(box[name]) for name in ("x", "y", "width", "height")] if isinstance(box, Mapping) else [float(value) for value in box]
        x, y, width, height = values
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"bbox must have x, y, width, and height: {error}") from None
    return image_pb2.BoundingBox(x=x, y=y, width=width, height=height)


def _pixels(array: NDArray[Any], field: str) -> image_pb2.Image:
    if array.ndim == 3 and array.shape[2] == 3:
        pixel_format = image_pb2.PIXEL_FORMAT_RGB8
    elif array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1):
        pixel_format = image_pb2.PIXEL_FORMAT_GRAY8
    else:
        raise InvalidInput("PIXEL_SIZE_MISMATCH", field, f"A uint8 array must have shape HxWx3, HxW, or HxWx1; got {array.shape}.")
    return _image(array, pixel_format)


def _floats(array: NDArray[Any], input_size: Optional[Tuple[int, int]], field: str) -> image_pb2.Image:
    if array.ndim != 3 or array.shape[2] != 3:
        raise InvalidInput("PIXEL_SIZE_MISMATCH", field, f"A float array must have shape HxWx3; got {array.shape}.")
    if input_size is not None and array.shape[:2] != tuple(input_size):
        message = (
            f"A float array must have the model's input size, {input_size[0]}x{input_size[1]}x3; got {array.shape}. "
            "Use a uint8 array to let the server resize it."
        )
        raise InvalidInput("PIXEL_SIZE_MISMATCH", field, message)
    return _image(array.astype("<f4", copy=False), image_pb2.PIXEL_FORMAT_RGB_F32)


def _image(array: NDArray[Any], pixel_format: Any) -> image_pb2.Image:
    # tobytes writes rows contiguously, regardless of the array's strides.
    return image_pb2.Image(pixels=image_pb2.PixelBuffer(width=array.shape[1], height=array.shape[0], format=pixel_format, data=array.tobytes()))
