"""Where the server is, and how to call it without ever hanging."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

import grpc

from .errors import InvalidInput, from_rpc

DEFAULT_URL = "http://localhost:50051"

_STORE = "embeddings.v1.VectorStoreService"

# Single calls that find no server are tried again, which is safe: all but deletions, whose count would be wrong.
_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            },
            {"name": [{"service": _STORE, "method": "DeleteVectors"}, {"service": _STORE, "method": "DeleteByJobId"}]},
        ]
    }
)

_OPTIONS = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # A server that comes back is found again soon.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
]


class Connection:
    """One channel to the server. Safe to use from many threads; connects at the first call and again whenever the connection breaks.

    Args:
        url: ``http://host:port``, ``https://host:port`` (TLS) or ``host:port``. Default: ``$EMBEDDINGS_URL``, or ``http://localhost:50051``.
        timeout: Seconds that a single call may take, and that a stream may wait for its next answer. Default 30.
    """

    def __init__(self, url: Optional[str] = None, timeout: float = 30.0) -> None:
        if timeout <= 0:
            raise InvalidInput("FIELD_INVALID", "timeout", "timeout must be more than 0 seconds")
        self.url = url or os.environ.get("EMBEDDINGS_URL") or DEFAULT_URL
        self.timeout = timeout
        target, secure = _parse(self.url)
        self.channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), _OPTIONS) if secure else grpc.insecure_channel(target, _OPTIONS)

    def call(self, method: Callable[..., Any], request: Any) -> Any:
        """One single call with the deadline; raises `EmbeddingsError`."""
        try:
            return method(request, timeout=self.timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    def is_serving(self) -> bool:
        """Whether the server says SERVING (grpc.health.v1); raises `EmbeddingsError` where there is none."""
        # An empty request asks about the whole server; field 1 of the answer, 1, is SERVING. Two bytes need no stubs.
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes)
        return self.call(check, b"") == b"\x08\x01"

    def close(self) -> None:
        """Ends the connection and what still runs on it."""
        self.channel.close()


class Connected:
    """What all clients share: a connection, their own or a borrowed one, and `with`."""

    def __init__(self, url: Optional[str], connection: Optional[Connection], timeout: float) -> None:
        self._owned = connection is None
        self._connection = connection or Connection(url, timeout)

    def close(self) -> None:
        """Closes the connection, unless it was given."""
        if self._owned:
            self._connection.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _parse(url: str) -> tuple[str, bool]:
    """The target for gRPC, and whether it speaks TLS."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not host or parts.path.strip("/"):
        raise InvalidInput("FIELD_INVALID", "url", f"'{url}' is not http://host:port or https://host:port")
    secure = parts.scheme in ("https", "grpcs")
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port or (443 if secure else 50051)}", secure
