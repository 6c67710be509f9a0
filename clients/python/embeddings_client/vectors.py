"""Vectors as arrays. numpy is optional: without it, vectors are `array.array`s of float32 values."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Any, Iterable, Sequence, Union

from .errors import InvalidInput
from .stubs.embeddings.v1 import embedding_pb2, point_pb2, vector_store_service_pb2 as store_pb2

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: float32 array of shape (dimension,): a numpy array or, if numpy is not installed, an `array.array` of type ``f``.
    Vector = NDArray[np.float32]
else:
    Vector = Any
    try:
        import numpy as np
    except ImportError:
        np = None

#: A vector to store or to search with: a numpy array of shape (dimension,) or a sequence of numbers.
VectorLike = Union["NDArray[Any]", Sequence[float]]


def from_embedding(embedding: embedding_pb2.Embedding) -> Vector:
    """Returns the vector of an embedding, from `values_f32` or `values`, as a float32 array."""
    return from_bytes(embedding.values_f32) if embedding.values_f32 else _from_floats(embedding.values)


def from_point(point: point_pb2.VectorPoint) -> Vector:
    """Returns the vector of a point, from `vector_f32` or `vector`, as a float32 array."""
    return from_bytes(point.vector_f32) if point.vector_f32 else _from_floats(point.vector)


def from_bytes(data: bytes) -> Vector:
    """Converts little-endian float32 values to a float32 array. Copies them once.

    Args:
        data: 4 bytes per value, as in `values_f32` and `vector_f32`.
    """
    if np is None:
        vector = array("f", data)
        if sys.byteorder == "big":
            vector.byteswap()
        return vector
    return np.frombuffer(data, dtype="<f4").astype(np.float32)


def to_bytes(vector: VectorLike, field: str = "vector") -> bytes:
    """Converts a vector to little-endian float32 values, as in `vector_f32` and `values_f32`. Copies a float32 array once.

    Args:
        vector: Array of shape (dimension,), or a sequence of numbers.
        field: Name of the vector in errors. Default: "vector".

    Raises:
        InvalidInput: If `vector` is not one-dimensional or has values that are not numbers.
    """
    values = _to_floats(vector, field)
    if np is not None:
        values = values.astype("<f4", copy=False)
    elif sys.byteorder == "big":
        values = array("f", values)
        values.byteswap()
    data: bytes = values.tobytes()
    return data


def to_point(point: point_pb2.VectorPoint, vector: VectorLike, field: str, as_bytes: bool) -> point_pb2.VectorPoint:
    """Sets the vector of a point, as bytes or as numbers, and returns the point."""
    if as_bytes:
        point.vector_f32 = to_bytes(vector, field)
    else:
        point.vector.extend(_to_floats(vector, field))
    return point


def to_query(vector: VectorLike, field: str, as_bytes: bool) -> store_pb2.QueryVector:
    """Converts a vector to search with to a message, as bytes or as numbers."""
    if as_bytes:
        return store_pb2.QueryVector(values_f32=to_bytes(vector, field))
    return store_pb2.QueryVector(values=_to_floats(vector, field))


def _from_floats(values: Iterable[float]) -> Vector:
    if np is None:
        return array("f", values)
    return np.array(values, dtype=np.float32)


def _to_floats(vector: VectorLike, field: str) -> Any:
    try:
        if np is None:
            return array("f", vector)
        values = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"{field} must be an array of numbers: {error}") from None
    if values.ndim != 1:
        raise InvalidInput("DIMENSION_MISMATCH", field, f"{field} must have shape (dimension,); got {values.shape}.")
    return values
