"""Streams of requests and answers: bounded, in order, and never hanging."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Iterable, Iterator, Optional

import grpc

from .errors import EmbeddingsError, from_rpc


def exchange(method: Callable[..., Any], requests: Iterable[Any], timeout: float) -> Iterator[Any]:
    """Sends requests and yields one answer for each, in their order.

    gRPC takes the next request only when flow control lets it send, so a slow server slows the source and memory stays bounded.

    Args:
        method: A stub's bidirectional method.
        requests: Messages with an `item_id`; read from a thread of gRPC's.
        timeout: Seconds to wait for the next answer while one is due.

    Raises:
        EmbeddingsError: where the stream as a whole fails.
        Exception: what `requests` raised, unchanged.
    """
    watched = _Source(requests)
    call = method(iter(watched))
    watch = _Watch(call, watched, timeout)
    answered = 0
    try:
        while True:
            watch.wait_from_now()
            try:
                answer = next(call)
            except StopIteration:
                break
            finally:
                watch.rest()
            if not watched.is_next(answer.item_id):
                raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "item_id", f"answer {answered} is for item '{answer.item_id}', which is not its turn")
            answered += 1
            yield answer
        if answered != watched.sent:
            raise EmbeddingsError(grpc.StatusCode.INTERNAL, "INTERNAL", "", f"{watched.sent} items were sent and {answered} answered")
    except grpc.RpcError as error:
        if watched.failure is not None:
            raise watched.failure from None
        if watch.fired:
            raise EmbeddingsError(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", f"no answer within {timeout:g} s") from None
        raise from_rpc(error) from None
    finally:
        # Also where the caller stops early: what has not run is dropped.
        watch.stop()
        call.cancel()


class _Source:
    """The requests, with a note of what is on its way."""

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
        except Exception as error:  # gRPC would only log it and say CANCELLED or UNKNOWN.
            self.failure = error
            raise

    @property
    def is_due(self) -> bool:
        return self._head < len(self._due)

    def is_next(self, item_id: str) -> bool:
        """Whether this is the item whose turn it is; it is then done."""
        with self._lock:
            matches = self.is_due and self._due[self._head] == item_id
            self._head += 1
            if self._head >= 1024:
                del self._due[: self._head]
                self._head = 0
            return matches


class _Watch:
    """Cancels a call that owes an answer and does not give it. A slow source or a slow reader is not the server's fault."""

    def __init__(self, call: Any, source: _Source, timeout: float) -> None:
        self._call, self._source, self._timeout = call, source, timeout
        self._since: Optional[float] = None
        self._stopped = threading.Event()
        self.fired = False
        threading.Thread(target=self._run, name="embeddings-stream-watch", daemon=True).start()

    def wait_from_now(self) -> None:
        self._since = time.monotonic()

    def rest(self) -> None:
        self._since = None

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(min(self._timeout / 4, 1.0)):
            since = self._since
            if since is None:
                continue
            if not self._source.is_due:
                # Nothing is owed; the time counts from the next request on.
                self._since = time.monotonic() if self._since is not None else None
            elif time.monotonic() - since > self._timeout:
                self.fired = True
                self._call.cancel()
                return
