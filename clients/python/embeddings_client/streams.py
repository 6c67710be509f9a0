"""Bidirectional streams with bounded memory, ordered responses, a timeout, and reconnection."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Deque, Generic, Iterable, Iterator, List, Optional, Protocol, Tuple, TypeVar

import grpc  # type: ignore[import]

from .calls import StreamCall, StreamStream
from .errors import EmbeddingsError, InvalidInput, from_stream


class Message(Protocol):
    """A request or a response: one item, or several in `items`."""

    item_id: str
    items: Any

    def ByteSize(self) -> int: ...


Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

# Largest message that the client sends, in bytes (see connection.py).
_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class StreamOptions:
    """Options of the streams of a connection.

    Streams send several items in one message, which costs less per item; programs see single items. An item waits for others
    only while earlier items are unanswered.

    Attributes:
        max_in_flight: Maximum number of unanswered items, which are kept in memory. At least 1. Default: 512.
        attempts: Maximum number of consecutive connections that break without a response. At least 1. Default: 5.
        max_items_per_message: Maximum number of items in one message, 1 to 1,000. At most a quarter of `max_in_flight` is used.
            1 turns this off, and sends vectors as numbers instead of bytes: required by servers of an earlier version, which
            otherwise fail with INTERNAL ("out of order"). Default: 64.
        max_bytes_per_message: Maximum size of the items in one message, in bytes, 1 to 67,108,864. A larger item is sent alone.
            Default: 524,288.
        batch_delay: Maximum time that an item waits for others, in seconds, 0 to 1. Default: 0.002.

    Raises:
        InvalidInput: If a value is out of range.
    """

    max_in_flight: int = 512
    attempts: int = 5
    max_items_per_message: int = 64
    max_bytes_per_message: int = 524_288
    batch_delay: float = 0.002

    def __post_init__(self) -> None:
        self._check("max_in_flight", 1, None)
        self._check("attempts", 1, None)
        self._check("max_items_per_message", 1, 1000)
        self._check("max_bytes_per_message", 1, _MESSAGE_BYTES)
        self._check("batch_delay", 0, 1, " seconds")

    @property
    def is_batching(self) -> bool:
        """Whether messages can have several items."""
        return self.max_items_per_message > 1

    def _check(self, field: str, least: int, most: Optional[int], unit: str = "") -> None:
        value = getattr(self, field)
        if value < least or (most is not None and value > most):
            limit = f"at least {least}" if most is None else f"between {least} and {most}"
            raise InvalidInput("FIELD_INVALID", field, f"{field} must be {limit}{unit}; got {value}.")


def exchange(
    method: StreamStream[Request, Response],
    requests: Iterable[Request],
    timeout: float,
    options: StreamOptions = StreamOptions(),
) -> Iterator[Response]:
    """Sends requests and yields one response per request, in request order.

    The source is read only as fast as the server accepts requests (backpressure), so memory use stays bounded. Requests are
    sent in messages of several, see `StreamOptions`. If the connection breaks, unanswered requests are resent on a new one,
    which is safe because points are replaced by id.

    Args:
        method: Bidirectional streaming method of a generated stub.
        requests: Messages with an `item_id` and without `items`. Read on a thread of its own.
        timeout: Maximum time to wait for the next response while requests are unanswered, in seconds.
        options: Bounds of the stream.

    Raises:
        EmbeddingsError: If the whole stream fails.
        Exception: Any exception raised by `requests`, unchanged, after the responses to the requests before it.
    """
    pump = _Pump(requests, options)
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
                if not error.retryable or attempt >= options.attempts:
                    raise
                if pump.unanswered:
                    time.sleep(max(error.retry_after or 0.0, min(0.1 * 2**attempt, 5.0)))
                    attempt += 1
    finally:
        pump.close()
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
                message = next(call)
            except StopIteration:
                break
            finally:
                watch.pause()
            for answer in message.items or (message,):
                if not pump.take(answer.item_id):
                    text = f"The response for item '{answer.item_id}' is out of order."
                    raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "item_id", text)
                yield answer
        if pump.unanswered or not pump.is_done:
            text = f"The server ended the stream with {pump.unanswered} items unanswered."
            raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "", text)
    except grpc.RpcError as error:
        if watch.fired:
            text = f"The server sent no response within {timeout:g} s."
            raise EmbeddingsError(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", text) from None
        raise from_stream(error) from None
    finally:
        # Also runs if the caller stops early: the server then drops the items that have not run.
        watch.stop()
        pump.stop()
        call.cancel()


class _Pump(Generic[Request]):
    """Reads a source, packs its requests into the messages of one connection after another, and keeps the unanswered ones."""

    def __init__(self, requests: Iterable[Request], options: StreamOptions) -> None:
        self._source = iter(requests)
        self._max_in_flight = options.max_in_flight
        # Several messages are in flight, so that the server always has one to work on.
        self._max_items = min(options.max_items_per_message, max(1, options.max_in_flight // 4))
        self._max_bytes = options.max_bytes_per_message
        self._delay = options.batch_delay
        lock = threading.Lock()
        # Signalled when a message may be complete, and when there is room to read; also when the connection ends.
        self._can_send = threading.Condition(lock)
        self._can_read = threading.Condition(lock)
        # Unanswered requests, in order: those sent on the current connection, then those that wait for their message.
        self._sent: Deque[Request] = deque()
        self._waiting: Deque[Tuple[Request, int]] = deque()
        self._waiting_bytes = 0
        # When the first of the waiting requests began to wait.
        self._since = 0.0
        self._connection = 0
        self._reader: Optional[threading.Thread] = None
        self._closed = False
        self._exhausted = False
        self.failure: Optional[BaseException] = None

    @property
    def is_done(self) -> bool:
        """Whether the source has ended."""
        return self._exhausted or self.failure is not None

    @property
    def unanswered(self) -> int:
        """Number of unanswered requests."""
        return len(self._sent) + len(self._waiting)

    def has_work(self) -> bool:
        """Waits for a request to send and returns whether there is one. Used between connections."""
        with self._can_send:
            if self._reader is None:
                # A daemon, because a source that blocks cannot be interrupted.
                self._reader = threading.Thread(target=self._read, name="embeddings-stream-source", daemon=True)
                self._reader.start()
            while not (self.unanswered or self.is_done):
                self._can_send.wait()
            return self.unanswered > 0

    def connect(self) -> Iterator[Request]:
        """Starts a connection and returns its messages: first the unanswered requests, then those of the source."""
        with self._can_send:
            self._connection += 1
            while self._sent:
                request = self._sent.pop()
                size = request.ByteSize()
                self._waiting.appendleft((request, size))
                self._waiting_bytes += size
            return self._feed(self._connection)

    def stop(self) -> None:
        """Ends the messages of the current connection."""
        with self._can_send:
            self._connection += 1
            self._can_send.notify_all()

    def close(self) -> None:
        """Ends the reading of the source, after the request that is being read."""
        with self._can_read:
            self._closed = True
            self._can_read.notify_all()

    def take(self, item_id: str) -> bool:
        """Marks the oldest unanswered request as answered and returns whether it was sent and has this id."""
        with self._can_send:
            if not self._sent or self._sent[0].item_id != item_id:
                return False
            self._sent.popleft()
            if not self._sent:
                self._can_send.notify_all()
            # Only if the window was full: then the reader may be waiting for this.
            if self.unanswered == self._max_in_flight - 1:
                self._can_read.notify_all()
            return True

    def _feed(self, connection: int) -> Iterator[Request]:
        while True:
            with self._can_send:
                while self._connection == connection and not self._is_complete():
                    if self.is_done and not self._waiting:
                        return
                    # Without waiting requests, the reader wakes this up.
                    self._can_send.wait(self._since + self._delay - time.monotonic() if self._waiting else None)
                if self._connection != connection:
                    return
                batch = self._message()
                self._can_read.notify_all()
            # The server treats both forms alike; the single form is also understood by servers of an earlier version.
            yield batch[0] if len(batch) == 1 else type(batch[0])(items=batch)  # type: ignore[call-arg]

    def _is_complete(self) -> bool:
        """Whether the waiting requests are sent now."""
        return bool(self._waiting) and (
            not self._sent  # As in Nagle's algorithm: otherwise, a response will come in any case.
            or len(self._waiting) >= self._max_items
            or self._waiting_bytes >= self._max_bytes
            or self.unanswered >= self._max_in_flight
            or self.is_done
            or time.monotonic() >= self._since + self._delay
        )

    def _message(self) -> List[Request]:
        batch: List[Request] = []
        size = 0
        while self._waiting and len(batch) < self._max_items and (not batch or size + self._waiting[0][1] <= self._max_bytes):
            request, of_request = self._waiting.popleft()
            batch.append(request)
            size += of_request
        self._sent.extend(batch)
        self._waiting_bytes -= size
        self._since = time.monotonic()
        return batch

    def _has_room(self) -> bool:
        # At most one message is read ahead, so that a slow server slows down the source.
        return (
            len(self._waiting) < self._max_items and self._waiting_bytes < self._max_bytes and self.unanswered < self._max_in_flight
        )

    def _read(self) -> None:
        while True:
            with self._can_read:
                while not (self._closed or self._has_room()):
                    self._can_read.wait()
                if self._closed:
                    return
            request: Optional[Request] = None
            failure: Optional[BaseException] = None
            size = 0
            try:
                request = next(self._source, None)
                if request is not None:
                    size = request.ByteSize()
            except BaseException as error:  # A thread would only print it.
                failure = error
            with self._can_send:
                if request is None or failure is not None:
                    self.failure = failure
                    self._exhausted = failure is None
                    self._can_send.notify_all()
                    return
                if not self._waiting:
                    self._since = time.monotonic()
                self._waiting.append((request, size))
                self._waiting_bytes += size
                # The writer wakes up for the first request, which starts its delay, and for a complete message.
                if len(self._waiting) == 1 or self._is_complete():
                    self._can_send.notify_all()


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
