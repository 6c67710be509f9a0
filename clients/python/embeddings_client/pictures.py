"""Arrays and bytes as the contract's pictures."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidInput
from .stubs.embeddings.v1 import image_pb2

#: A picture: the bytes of a JPEG, PNG, WebP, GIF, TIFF or AVIF file; an HxWx3 (RGB) or HxW (grey) uint8 array of any size; or an HxWx3 float array
#: in the model's own scale and size.
Picture = Union[bytes, bytearray, memoryview, NDArray[Any]]

LANDMARKS = ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")


def to_image(buffer: Picture, input_size: Optional[Tuple[int, int]] = None, field: str = "image") -> image_pb2.Image:
    """The picture as a message.

    Args:
        buffer: See `Picture`. Float arrays go as RGB_F32: only laid out anew by the server, never rescaled.
        input_size: (height, width) that float arrays must have; None leaves that to the server.
        field: What errors call the picture.
    """
    if isinstance(buffer, (bytes, bytearray, memoryview)):
        if len(buffer) == 0:
            raise InvalidInput("IMAGE_EMPTY", f"{field}.encoded", "the picture has no bytes")
        return image_pb2.Image(encoded=bytes(buffer))
    if not isinstance(buffer, np.ndarray):
        raise InvalidInput("FIELD_INVALID", field, f"a picture is bytes or a numpy array, not {type(buffer).__name__}")
    shape_field = f"{field}.pixels"
    if 0 in buffer.shape:
        raise InvalidInput("IMAGE_EMPTY", shape_field, f"the array of shape {buffer.shape} has no pixels")
    if buffer.dtype == np.uint8:
        return _pixels(buffer, shape_field)
    if buffer.dtype.kind == "f":
        return _floats(buffer, input_size, shape_field)
    raise InvalidInput("PIXEL_FORMAT_INVALID", f"{shape_field}.format", f"an array of pixels is uint8 or float32, not {buffer.dtype}")


def to_face(buffer: Picture, landmarks: Any = None, input_size: Optional[Tuple[int, int]] = None, field: str = "face") -> image_pb2.FaceCrop:
    """The face as a message; `landmarks` are five points as in `to_landmarks`."""
    face = image_pb2.FaceCrop(image=to_image(buffer, input_size, f"{field}.image"))
    if landmarks is not None:
        face.landmarks.CopyFrom(to_landmarks(landmarks, f"{field}.landmarks"))
    return face


def to_landmarks(points: Any, field: str = "landmarks") -> image_pb2.FaceLandmarks:
    """Five points: a dict of the names in `LANDMARKS` to ``{"x", "y"}``, or a 5x2 array in that order; pixels."""
    try:
        if isinstance(points, Mapping):
            pairs = [(float(points[name]["x"]), float(points[name]["y"])) for name in LANDMARKS]
        else:
            array = np.asarray(points, dtype=np.float64)
            if array.shape != (5, 2):
                raise ValueError(f"shape {array.shape}")
            pairs = [(float(x), float(y)) for x, y in array]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("LANDMARKS_INVALID", field, f"five points are needed, {', '.join(LANDMARKS)}: {error}") from None
    return image_pb2.FaceLandmarks(**{name: image_pb2.Point(x=x, y=y) for name, (x, y) in zip(LANDMARKS, pairs)})


def to_bbox(box: Union[Mapping[str, Any], Sequence[float]], field: str = "bbox") -> image_pb2.BoundingBox:
    """``{"x", "y", "width", "height"}`` or four numbers in that order; pixels of the source picture."""
    try:
        values = [float(box[name]) for name in ("x", "y", "width", "height")] if isinstance(box, Mapping) else [float(value) for value in box]
        x, y, width, height = values
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"a bbox is x, y, width and height: {error}") from None
    return image_pb2.BoundingBox(x=x, y=y, width=width, height=height)


def _pixels(array: NDArray[Any], field: str) -> image_pb2.Image:
    if array.ndim == 3 and array.shape[2] == 3:
        pixel_format = image_pb2.PIXEL_FORMAT_RGB8
    elif array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1):
        pixel_format = image_pb2.PIXEL_FORMAT_GRAY8
    else:
        raise InvalidInput("PIXEL_SIZE_MISMATCH", field, f"an array of pixels is HxWx3 or HxW, not {array.shape}")
    return _image(array, pixel_format)


def _floats(array: NDArray[Any], input_size: Optional[Tuple[int, int]], field: str) -> image_pb2.Image:
    if array.ndim != 3 or array.shape[2] != 3:
        raise InvalidInput("PIXEL_SIZE_MISMATCH", field, f"a float array is HxWx3, not {array.shape}")
    if input_size is not None and array.shape[:2] != tuple(input_size):
        message = f"float pixels are already in the model's own size, {input_size[0]}x{input_size[1]}x3, not {array.shape}; send uint8 to have them resized"
        raise InvalidInput("PIXEL_SIZE_MISMATCH", field, message)
    return _image(array.astype("<f4", copy=False), image_pb2.PIXEL_FORMAT_RGB_F32)


def _image(array: NDArray[Any], pixel_format: Any) -> image_pb2.Image:
    # tobytes lays rows out one after the other whatever the array's strides are.
    return image_pb2.Image(pixels=image_pb2.PixelBuffer(width=array.shape[1], height=array.shape[0], format=pixel_format, data=array.tobytes()))
