"""The exceptions of this package, and their creation from the errors that the server returns."""

from __future__ import annotations

from typing import Optional

import grpc  # type: ignore[import]

from .stubs import embeddings_status_pb2 as status_pb2
from .stubs.embeddings.v1 import embedding_pb2

_CODES = {code.value[0]: code for code in grpc.StatusCode}

# Codes with which gRPC reports a connection that broke. The server never sends them without a reason.
_BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


class EmbeddingsError(Exception):
    """The error of a failed call or item.

    Attributes:
        code: gRPC status code, for example ``grpc.StatusCode.NOT_FOUND``.
        reason: Machine-readable reason in UPPER_SNAKE_CASE (docs/errors.md). Empty if the server gave none.
        field: Path of the invalid field, for example ``image.encoded``. Empty if the error does not concern a field.
        message: Human-readable description of the error.
        retry_after: Delay before a retry as requested by the server, in seconds, or None.
    """

    def __init__(self, code: grpc.StatusCode, reason: str = "", field: str = "", message: str = "", retry_after: Optional[float] = None) -> None:
        super().__init__(": ".join(part for part in (reason or code.name, field, message) if part))
        self.code = code
        self.reason = reason
        self.field = field
        self.message = message
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether a retry may succeed: the server was unavailable, or overloaded and requested a retry."""
        return bool(
            self.code is grpc.StatusCode.UNAVAILABLE
            or (self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and self.retry_after is not None)
        )


class InvalidInput(EmbeddingsError, ValueError):
    """Invalid input, detected by the client or the server (INVALID_ARGUMENT). Retrying does not help."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, reason, field, message)


def make_error(code: grpc.StatusCode, reason: str, field: str, message: str, retry_after: Optional[float] = None) -> EmbeddingsError:
    """Creates an error of the class that matches its code."""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidInput(reason, field, message)
    return EmbeddingsError(code, reason, field, message, retry_after)


def from_rpc(error: grpc.RpcError) -> EmbeddingsError:
    """Converts a failed call to an error, using the `google.rpc` details in its trailers."""
    reason, field, retry_after = "", "", None
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        status = status_pb2.Status.FromString(value)
        for detail in status.details:
            kind = detail.type_url.rsplit(".", 1)[-1]
            if kind == "ErrorInfo":
                reason = status_pb2.ErrorInfo.FromString(detail.value).reason
            elif kind == "BadRequest":
                violations = status_pb2.BadRequest.FromString(detail.value).field_violations
                field = violations[0].field if violations else ""
            elif kind == "RetryInfo":
                delay = status_pb2.RetryInfo.FromString(detail.value).retry_delay
                retry_after = delay.seconds + delay.nanos / 1e9
    return make_error(error.code(), reason, field, error.details() or "", retry_after)


def from_stream(error: grpc.RpcError) -> EmbeddingsError:
    """Converts a failed stream to an error.

    An end that the server did not state itself is a broken connection, whatever its code: a proxy that ends a stream after a
    time limit, for example, leaves CANCELLED or INTERNAL without a reason. It becomes UNAVAILABLE, which is retryable.
    """
    made = from_rpc(error)
    if made.reason or made.code not in _BROKEN:
        return made
    return EmbeddingsError(grpc.StatusCode.UNAVAILABLE, "", "", f"The connection broke: {made.message or made.code.name}")


def from_item(error: embedding_pb2.ItemError) -> EmbeddingsError:
    """Converts the error of a stream item."""
    return make_error(_CODES.get(error.code, grpc.StatusCode.UNKNOWN), error.reason, error.field, error.message)
