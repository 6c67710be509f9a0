"""Bidirectional streams with bounded memory, ordered responses, a timeout, and reconnection."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Deque, Generic, Iterable, Iterator, Optional, Protocol, TypeVar

import grpc  # type: ignore[import]

from .calls import StreamCall, StreamStream
from .errors import EmbeddingsError, from_stream


class Named(Protocol):
    """A request or a response with an item id."""

    item_id: str


Request = TypeVar("Request", bound=Named)
Response = TypeVar("Response", bound=Named)


def exchange(
    method: StreamStream[Request, Response],
    requests: Iterable[Request],
    timeout: float,
    *,
    max_in_flight: int = 512,
    attempts: int = 5,
) -> Iterator[Response]:
    """Sends requests and yields one response per request, in request order.

    The source is read only as fast as the server accepts requests (backpressure), so memory use stays bounded. If the
    connection breaks, unanswered requests are resent on a new one, which is safe because points are replaced by id.

    Args:
        method: Bidirectional streaming method of a generated stub.
        requests: Messages with an `item_id`. Read from one thread at a time, which may be a thread of gRPC.
        timeout: Maximum time to wait for the next response while requests are unanswered, in seconds.
        max_in_flight: Maximum number of unanswered requests, which are kept in memory. Default: 512.
        attempts: Maximum number of consecutive connections that break without a response. Default: 5.

    Raises:
        EmbeddingsError: If the whole stream fails.
        Exception: Any exception raised by `requests`, unchanged, after the responses to the requests before it.
    """
    pump = _Pump(requests, max_in_flight)
    attempt = 1
    try:
        # A connection is opened only when there is something to send: a slow source does not cost attempts.
        while pump.has_work():
            try:
                for answer in _exchange_once(method, pump, timeout):
                    attempt = 1
                    yield answer
                break
            except EmbeddingsError as error:
                if not error.retryable or attempt >= attempts:
                    raise
                if pump.unanswered:
                    time.sleep(max(error.retry_after or 0.0, min(0.1 * 2**attempt, 5.0)))
                    attempt += 1
    finally:
        pump.stop()
    if pump.failure is not None:
        raise pump.failure


def _exchange_once(method: StreamStream[Request, Response], pump: _Pump[Request], timeout: float) -> Iterator[Response]:
    """Yields the responses of one connection. Returns if all requests are answered."""
    try:
        call = method(pump.connect())
    except ValueError as error:  # The channel is closed.
        raise EmbeddingsError(grpc.StatusCode.CANCELLED, "", "", f"The connection is closed: {error}") from None
    watch = _Watch(call, pump, timeout)
    try:
        while True:
            watch.restart()
            try:
                answer = next(call)
            except StopIteration:
                break
            finally:
                watch.pause()
            if not pump.take(answer.item_id):
                message = f"The response for item '{answer.item_id}' is out of order."
                raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "item_id", message)
            yield answer
        if pump.unanswered or not pump.is_done:
            message = f"The server ended the stream with {len(pump.unanswered)} items unanswered."
            raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "", message)
    except grpc.RpcError as error:
        if watch.fired:
            message = f"The server sent no response within {timeout:g} s."
            raise EmbeddingsError(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", message) from None
        raise from_stream(error) from None
    finally:
        # Also runs if the caller stops early: the server then drops the items that have not run.
        watch.stop()
        pump.stop()
        call.cancel()


class _Pump(Generic[Request]):
    """Sends the requests of a source to one connection after another, and keeps the unanswered ones."""

    def __init__(self, requests: Iterable[Request], max_in_flight: int) -> None:
        self._source = iter(requests)
        self._max_in_flight = max_in_flight
        self._changed = threading.Condition()
        # The first `sent` of the unanswered requests have been sent on the current connection.
        self.unanswered: Deque[Request] = deque()
        self.sent = 0
        self._connection = 0
        self._reading = False
        self._exhausted = False
        self.failure: Optional[Exception] = None

    @property
    def is_done(self) -> bool:
        """Whether the source has ended."""
        return self._exhausted or self.failure is not None

    def has_work(self) -> bool:
        """Waits for a request to send and returns whether there is one. Used between connections."""
        while True:
            with self._changed:
                # A thread of the previous connection may still be reading the source. Its request is not lost.
                self._changed.wait_for(lambda: self.unanswered or not self._reading)
                if self.unanswered or self.is_done:
                    return bool(self.unanswered)
                self._reading = True
            self._read()

    def connect(self) -> Iterator[Request]:
        """Starts a connection and returns its requests: first the unanswered ones, then those of the source."""
        with self._changed:
            self._connection += 1
            self.sent = 0
            return self._feed(self._connection)

    def stop(self) -> None:
        """Ends the requests of the current connection."""
        with self._changed:
            self._connection += 1
            self._changed.notify_all()

    def take(self, item_id: str) -> bool:
        """Marks the oldest unanswered request as answered and returns whether it has this id."""
        with self._changed:
            if self.sent == 0 or self.unanswered[0].item_id != item_id:
                return False
            self.unanswered.popleft()
            self.sent -= 1
            self._changed.notify_all()
            return True

    def _feed(self, connection: int) -> Iterator[Request]:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._connection != connection or self._can_send or self._can_read or self.is_done
                )
                if self._connection != connection:
                    return
                request = self.unanswered[self.sent] if self._can_send else None
                if request is not None:
                    self.sent += 1
                elif self.is_done:
                    return
                else:
                    self._reading = True
            if request is None:
                self._read()
            else:
                yield request

    @property
    def _can_send(self) -> bool:
        return self.sent < len(self.unanswered)

    @property
    def _can_read(self) -> bool:
        return not self._reading and len(self.unanswered) < self._max_in_flight

    def _read(self) -> None:
        request: Optional[Request] = None
        failure: Optional[Exception] = None
        try:
            request = next(self._source, None)
        except Exception as error:  # gRPC would only log it.
            failure = error
        with self._changed:
            self._reading = False
            self.failure = failure
            if request is not None:
                self.unanswered.append(request)
            elif failure is None:
                self._exhausted = True
            self._changed.notify_all()


class _Watch:
    """Cancels a call if a response is overdue. Time in which the source or the reader is slow does not count."""

    def __init__(self, call: StreamCall[object], pump: _Pump[Request], timeout: float) -> None:
        self._call, self._pump, self._timeout = call, pump, timeout
        self._since: Optional[float] = None
        self._stopped = threading.Event()
        self.fired = False
        threading.Thread(target=self._run, name="embeddings-stream-watch", daemon=True).start()

    def restart(self) -> None:
        self._since = time.monotonic()

    def pause(self) -> None:
        self._since = None

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(min(self._timeout / 4, 1.0)):
            since = self._since
            if since is None:
                continue
            if not self._pump.unanswered:
                # All requests are answered: the timeout starts with the next request.
                self._since = time.monotonic() if self._since is not None else None
            elif time.monotonic() - since > self._timeout:
                self.fired = True
                self._call.cancel()
                return
