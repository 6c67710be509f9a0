"""Conversion between payload messages and flat dicts, which hold the contract's fields and user-defined attributes."""

from __future__ import annotations

import struct
from typing import Any, Dict, Mapping, Optional, Union

from google.protobuf import struct_pb2  # type: ignore[import]

from .errors import InvalidInput
from .images import LANDMARKS, to_bbox, to_landmarks
from .stubs.embeddings.v1 import image_pb2, point_pb2

# Fields of the contract's payload message; all others are stored in `attributes`.
_OWN = ("job_id", "media_store_id", "face_index", "bbox", "confidence", "landmarks")

_BOUNDS = ("gt", "gte", "lt", "lte")

#: Conditions that must all hold: ``job_id``, ``media_store_id``, ``face_index``, a range of ``confidence``, and the names of
#: attributes. An attribute equals a string, number, or bool, or is in a range: a dict with at least one of ``gt``, ``gte``,
#: ``lt``, and ``lte``. The dict ``{"exists": True}`` selects points that have the attribute, ``{"exists": False}`` those that do not.
FilterLike = Mapping[str, Union[str, bool, int, float, Mapping[str, float]]]


def to_payload(values: Optional[Mapping[str, Any]]) -> point_pb2.Payload:
    """Converts a flat dict to a message."""
    payload = point_pb2.Payload()
    values = values or {}
    payload.job_id = _text(values.get("job_id"), "payload.job_id")
    payload.media_store_id = _text(values.get("media_store_id"), "payload.media_store_id")
    if values.get("face_index") is not None:
        payload.face_index = to_index(values["face_index"], "payload.face_index")
    if values.get("bbox") is not None:
        payload.bbox.CopyFrom(to_bbox(values["bbox"], "payload.bbox"))
    if values.get("confidence") is not None:
        payload.confidence = to_float(values["confidence"], "payload.confidence")
    if values.get("landmarks") is not None:
        payload.landmarks.CopyFrom(to_landmarks(values["landmarks"], "payload.landmarks"))
    rest = {key: value for key, value in values.items() if key not in _OWN}
    if rest:
        payload.attributes.CopyFrom(to_struct(rest, "payload.attributes"))
    return payload


def from_payload(payload: point_pb2.Payload) -> Dict[str, Any]:
    """Converts a message to a flat dict without unset fields. Whole numbers are returned as ints."""
    values: Dict[str, Any] = {key: _plain(value) for key, value in payload.attributes.fields.items()}
    if payload.job_id:
        values["job_id"] = payload.job_id
    if payload.media_store_id:
        values["media_store_id"] = payload.media_store_id
    if payload.HasField("face_index"):
        values["face_index"] = payload.face_index
    if payload.HasField("bbox"):
        values["bbox"] = {name: _short(getattr(payload.bbox, name)) for name in ("x", "y", "width", "height")}
    if payload.HasField("confidence"):
        values["confidence"] = float(_short(payload.confidence))
    if payload.HasField("landmarks"):
        values["landmarks"] = {name: _point(getattr(payload.landmarks, name)) for name in LANDMARKS}
    return values


def to_filter(conditions: Optional[FilterLike]) -> Optional[point_pb2.Filter]:
    """Converts conditions to a message; see `FilterLike`. None selects all points.

    Raises:
        InvalidInput: If a condition has a value of another type or a range without a bound.
    """
    if conditions is None:
        return None
    made = point_pb2.Filter()
    for key, value in conditions.items():
        field = f"filter.{key}"
        if value is None:
            raise InvalidInput("FIELD_INVALID", field, "the condition must be a string, number, bool, or range; got None.")
        if key == "job_id":
            made.job_id = _text(value, field)
        elif key == "media_store_id":
            made.media_store_id = _text(value, field)
        elif key == "face_index":
            made.face_index = to_index(value, field)
        elif key == "confidence":
            made.confidence.CopyFrom(_range(value, field))
        else:
            made.attributes.append(_condition(key, value, field))
    return made


def _condition(key: str, value: Any, field: str) -> point_pb2.AttributeCondition:
    value = _native(value)
    if isinstance(value, str):
        return point_pb2.AttributeCondition(key=key, text=value)
    if isinstance(value, bool):
        return point_pb2.AttributeCondition(key=key, flag=value)
    if isinstance(value, (int, float)):
        return point_pb2.AttributeCondition(key=key, number=to_float(value, field))
    if isinstance(value, Mapping) and list(value) == ["exists"] and isinstance(value["exists"], bool):
        return point_pb2.AttributeCondition(key=key, exists=value["exists"])
    return point_pb2.AttributeCondition(key=key, range=_range(value, field))


def _range(value: Any, field: str) -> point_pb2.NumericRange:
    if not isinstance(value, Mapping) or not value or any(bound not in _BOUNDS for bound in value):
        raise InvalidInput("FIELD_INVALID", field, f"a range must be a dict with {', '.join(_BOUNDS)}; got {value!r}.")
    return point_pb2.NumericRange(**{bound: to_float(limit, f"{field}.{bound}") for bound, limit in value.items()})


def to_struct(values: Mapping[str, Any], field: str) -> struct_pb2.Struct:
    """Converts attributes: strings, numbers, bools, None, lists, dicts, and numpy scalars and arrays."""
    struct = struct_pb2.Struct()
    try:
        struct.update({str(key): _native(value) for key, value in values.items()})
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InvalidInput("FIELD_INVALID", field, f"attributes must contain only JSON values: {error}") from None
    return struct


def to_index(value: Any, field: str) -> int:
    """Converts a face index. The server checks that it is not negative."""
    try:
        number = int(value)
        if number != value or not -(2**31) <= number < 2**31:
            raise ValueError(f"the value must be a 32-bit integer; got {value!r}.")
        return number
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("FIELD_INVALID", field, str(error)) from None


def to_float(value: Any, field: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("FIELD_INVALID", field, str(error)) from None


def _text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput("FIELD_INVALID", field, f"the value must be a string; got {type(value).__name__}.")
    return value


def _native(value: Any) -> Any:
    if hasattr(value, "tolist"):  # A numpy array or scalar.
        return _native(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): _native(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_native(item) for item in value]
    return value


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return {key: _plain(item) for key, item in value.struct_value.fields.items()}
    if kind == "list_value":
        return [_plain(item) for item in value.list_value.values]
    if kind == "number_value":
        return _whole(value.number_value)
    return None if kind in (None, "null_value") else getattr(value, kind)


def _whole(number: float) -> Any:
    return int(number) if number.is_integer() and abs(number) <= 2**53 else number


def _short(number: float) -> Any:
    """Converts a float32 to the shortest equivalent number, so that 0.1 is returned as 0.1."""
    for digits in (6, 7, 8):
        shortest = float(f"{number:.{digits}g}")
        if struct.unpack("f", struct.pack("f", shortest))[0] == number:
            return _whole(shortest)
    return _whole(float(f"{number:.9g}"))


def _point(point: image_pb2.Point) -> Dict[str, Any]:
    return {"x": _short(point.x), "y": _short(point.y)}
