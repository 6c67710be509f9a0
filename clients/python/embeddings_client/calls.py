"""Types of the methods of the generated stubs. grpcio does not declare them."""

from __future__ import annotations

from typing import Any, Iterator, Optional, Protocol, Tuple, TypeVar

Request = TypeVar("Request", contravariant=True)
Response = TypeVar("Response", covariant=True)


class StreamCall(Protocol[Response]):
    """A stream in progress: an iterator over its responses."""

    def __iter__(self) -> Iterator[Response]: ...

    def __next__(self) -> Response: ...

    def cancel(self) -> bool: ...


class UnaryUnary(Protocol[Request, Response]):
    """A unary method."""

    def __call__(
        self, request: Request, timeout: Optional[float] = None, metadata: Any = None, credentials: Any = None,
        wait_for_ready: Optional[bool] = None, compression: Any = None,
    ) -> Response: ...

    def with_call(
        self, request: Request, timeout: Optional[float] = None, metadata: Any = None, credentials: Any = None,
        wait_for_ready: Optional[bool] = None, compression: Any = None,
    ) -> Tuple[Response, Any]: ...

    def future(
        self, request: Request, timeout: Optional[float] = None, metadata: Any = None, credentials: Any = None,
        wait_for_ready: Optional[bool] = None, compression: Any = None,
    ) -> Any: ...


class UnaryStream(Protocol[Request, Response]):
    """A method with a stream of responses."""

    def __call__(
        self, request: Request, timeout: Optional[float] = None, metadata: Any = None, credentials: Any = None,
        wait_for_ready: Optional[bool] = None, compression: Any = None,
    ) -> StreamCall[Response]: ...


class StreamStream(Protocol[Request, Response]):
    """A bidirectional streaming method."""

    def __call__(
        self, request_iterator: Iterator[Request], timeout: Optional[float] = None, metadata: Any = None, credentials: Any = None,
        wait_for_ready: Optional[bool] = None, compression: Any = None,
    ) -> StreamCall[Response]: ...
