"""Vectors as arrays. numpy is optional: without it, vectors are `array.array`s of float32 values."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Iterable, Sequence, Union

from .errors import InvalidInput

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


def to_vector(values: Iterable[float]) -> Vector:
    """Converts the values of a message to a float32 array."""
    if np is None:
        return array("f", values)
    return np.array(values, dtype=np.float32)


def to_floats(vector: VectorLike, field: str) -> Sequence[float]:
    """Converts a vector to the values of a message, as float32.

    Raises:
        InvalidInput: If `vector` is not one-dimensional or has values that are not numbers.
    """
    try:
        if np is None:
            return array("f", vector)
        values = np.asarray(vector, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"{field} must be an array of numbers: {error}") from None
    if values.ndim != 1:
        raise InvalidInput("DIMENSION_MISMATCH", field, f"{field} must have shape (dimension,); got {values.shape}.")
    return values  # type: ignore[return-value]  # A numpy array is a sequence for protobuf.
