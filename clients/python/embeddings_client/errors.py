"""The one error of this package, and how it is made of what the server says."""

from __future__ import annotations

from typing import Optional

import grpc

from .stubs import embeddings_status_pb2 as status_pb2
from .stubs.embeddings.v1 import embedding_pb2

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class EmbeddingsError(Exception):
    """A call or an item that failed.

    Attributes:
        code: gRPC status code, for example ``grpc.StatusCode.NOT_FOUND``.
        reason: UPPER_SNAKE word to switch on (docs/errors.md), empty where no server gave one.
        field: Path of the field at fault, for example ``image.encoded``; empty where no field is.
        message: One sentence for a person.
        retry_after: Seconds the server asks to wait; None where it does not.
    """

    def __init__(self, code: grpc.StatusCode, reason: str = "", field: str = "", message: str = "", retry_after: Optional[float] = None) -> None:
        told = ": ".join(part for part in (reason or code.name, field, message) if part)
        super().__init__(told)
        self.code = code
        self.reason = reason
        self.field = field
        self.message = message
        self.retry_after = retry_after

    @property
    def retryable(self) -> bool:
        """Whether the same may succeed later: the server was away, or full and said when to come again."""
        return self.code is grpc.StatusCode.UNAVAILABLE or (self.code is grpc.StatusCode.RESOURCE_EXHAUSTED and self.retry_after is not None)


class InvalidInput(EmbeddingsError, ValueError):
    """Input that is at fault, found here or by the server (INVALID_ARGUMENT). Trying again does not help."""

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(grpc.StatusCode.INVALID_ARGUMENT, reason, field, message)


def make_error(code: grpc.StatusCode, reason: str, field: str, message: str, retry_after: Optional[float] = None) -> EmbeddingsError:
    """The error of the class that its code asks for."""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidInput(reason, field, message)
    return EmbeddingsError(code, reason, field, message, retry_after)


def from_rpc(error: grpc.RpcError) -> EmbeddingsError:
    """What a failed call says, with the details of `google.rpc` that its trailer carries."""
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


def from_item(error: embedding_pb2.ItemError) -> EmbeddingsError:
    """What one item of a stream failed of."""
    return make_error(_CODES.get(error.code, grpc.StatusCode.UNKNOWN), error.reason, error.field, error.message)
