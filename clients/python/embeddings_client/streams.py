"""Bidirectional streams with bounded memory, ordered responses, and a timeout."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Iterable, Iterator, Optional

import grpc

from .errors import EmbeddingsError, from_rpc


def exchange(method: Callable[..., Any], requests: Iterable[Any], timeout: float) -> Iterator[Any]:
    """Sends requests and yields one response per request, in request order.

    gRPC reads the next request only when flow control allows sending it. A slow server therefore slows down the source
    (backpressure), and memory use stays bounded.

    Args:
        method: Bidirectional streaming method of a generated stub.
        requests: Messages with an `item_id`. Read from a gRPC thread.
        timeout: Maximum time to wait for the next response while requests are unanswered, in seconds.

    Raises:
        EmbeddingsError: If the whole stream fails.
        Exception: Any exception raised by `requests`, unchanged.
    """
    watched = _Source(requests)
    call = method(iter(watched))
    watch = _Watch(call, watched, timeout)
    answered = 0
    try:
        while True:
            watch.restart()
            try:
                answer = next(call)
            except StopIteration:
                break
            finally:
                watch.pause()
            if not watched.is_next(answer.item_id):
                message = f"Response {answered} is out of order: it is for item '{answer.item_id}'."
                raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "item_id", message)
            answered += 1
            yield answer
        if answered != watched.sent:
            message = f"The server ended the stream early: {watched.sent} items were sent, {answered} answered."
            raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "", message)
    except grpc.RpcError as error:
        if watched.failure is not None:
            raise watched.failure from None
        if watch.fired:
            message = f"The server sent no response within {timeout:g} s."
            raise EmbeddingsError(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", message) from None
        raise from_rpc(error) from None
    finally:
        # Also runs if the caller stops early: the server then drops the items that have not run.
        watch.stop()
        call.cancel()


class _Source:
    """The requests, with a record of those in flight."""

    def __init__(self, requests: Iterable[Any]) -> None:
        self._requests = requests
        self._lock = threading.Lock()
        self._due: list[str] = []
        self._head = 0
        self.sent = 0
        self.failure: Optional[BaseException] = None

    def __iter__(self) -> Iterator[Any]:
        try:
            for request in self._requests:
                with self._lock:
                    self._due.append(request.item_id)
                    self.sent += 1
                yield request
        except Exception as error:  # gRPC would only log it and report CANCELLED or UNKNOWN.
            self.failure = error
            raise

    @property
    def is_due(self) -> bool:
        return self._head < len(self._due)

    def is_next(self, item_id: str) -> bool:
        """Marks the oldest unanswered item as answered and returns whether it has this id."""
        with self._lock:
            matches = self.is_due and self._due[self._head] == item_id
            self._head += 1
            if self._head >= 1024:
                del self._due[: self._head]
                self._head = 0
            return matches


class _Watch:
    """Cancels a call if a response is overdue. Time in which the source or the reader is slow does not count."""

    def __init__(self, call: Any, source: _Source, timeout: float) -> None:
        self._call, self._source, self._timeout = call, source, timeout
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
            if not self._source.is_due:
                # All requests are answered: the timeout starts with the next request.
                self._since = time.monotonic() if self._since is not None else None
            elif time.monotonic() - since > self._timeout:
                self.fired = True
                self._call.cancel()
                return
