"""Connection to the server, with timeouts for all calls."""

from __future__ import annotations

import json
import os
from types import TracebackType
from typing import Optional, Tuple, Type, TypeVar
from urllib.parse import urlsplit

import grpc  # type: ignore[import]

from .calls import UnaryUnary
from .errors import InvalidInput, from_rpc
from .security import open_channel
from .streams import StreamOptions

Request = TypeVar("Request")
Response = TypeVar("Response")
Self = TypeVar("Self", bound="Connected")

DEFAULT_URL = "http://localhost:50051"

# Unary calls that cannot reach a server are retried, except deletions and changes of persons, which the server may have carried
# out: their counts would be wrong, and a change could be made twice.
_NOT_RETRIED = [
    {"service": f"embeddings.v1.{service}", "method": method}
    for service, method in (
        ("VectorStoreService", "DeleteVectors"),
        ("VectorStoreService", "DeleteByJobId"),
        ("PersonService", "NamePerson"),
        ("PersonService", "MergePersons"),
        ("PersonService", "SplitPerson"),
        ("PersonService", "UndoPersonChange"),
        ("PersonService", "ClusterFaces"),
    )
]
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
            {"name": _NOT_RETRIED},
        ]
    }
)

_OPTIONS = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    # Reconnect soon after the server is available again.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5000),
]


class Connection:
    """A channel to the server. Connects on the first call and reconnects if the connection breaks. Thread-safe.

    Args:
        url: ``http://host:port``, ``https://host:port`` (TLS), or ``host:port``. Default: ``$EMBEDDINGS_URL`` or, if it is
            not set, ``http://localhost:50051``.
        timeout: Deadline of a unary call and maximum wait for the next response of a stream, in seconds. Must be greater
            than 0. Default: 30.
        ca: PEM file of the certificate authorities to trust instead of the default ones of gRPC. Requires an ``https://`` URL.
            Default: ``$EMBEDDINGS_CA`` if the URL is ``https://``.
        client_cert: PEM file of the client certificate, followed by its intermediate certificates, for servers that ask for
            one. Requires an ``https://`` URL. Default: ``$EMBEDDINGS_CLIENT_CERT`` if the URL is ``https://``.
        client_key: PEM file of the key of `client_cert`, not encrypted. Default: ``$EMBEDDINGS_CLIENT_KEY`` if the URL is
            ``https://`` or, if it is not set, the file `client_cert`.
        api_key: API key sent with every call (``authorization: Bearer KEY``). Printable ASCII characters without spaces.
            Requires an ``https://`` URL, except for this machine (``localhost``, ``127.0.0.0/8``, ``::1``). Default:
            ``$EMBEDDINGS_API_KEY``.
        streams: Bounds of all streams, and whether they send several items in one message. Default: ``StreamOptions()``.

    An empty string instead of a file or key does not use the environment variable. The files are read once.

    Raises:
        InvalidInput: If `url`, `timeout`, or `api_key` is invalid, a file cannot be used, or the API key would be sent without
            TLS to another machine.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        timeout: float = 30.0,
        *,
        ca: Optional[str] = None,
        client_cert: Optional[str] = None,
        client_key: Optional[str] = None,
        api_key: Optional[str] = None,
        streams: Optional[StreamOptions] = None,
    ) -> None:
        if timeout <= 0:
            raise InvalidInput("FIELD_INVALID", "timeout", f"timeout must be greater than 0 seconds; got {timeout}.")
        self.url = url or os.environ.get("EMBEDDINGS_URL") or DEFAULT_URL
        self.timeout = timeout
        self.streams = streams or StreamOptions()
        target, host, secure = _parse(self.url)
        self.channel = open_channel(target, host, secure, _OPTIONS, ca, client_cert, client_key, api_key)

    def call(self, method: UnaryUnary[Request, Response], request: Request) -> Response:
        """Makes a unary call with the deadline.

        Args:
            method: Unary method of a generated stub.
            request: Request of the method.

        Returns:
            The response.

        Raises:
            EmbeddingsError: If the call fails. Invalid input raises `InvalidInput`, which is also a ValueError.
        """
        try:
            return method(request, timeout=self.timeout)
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    def is_serving(self) -> bool:
        """Returns whether the server reports SERVING (grpc.health.v1). Raises `EmbeddingsError` if it cannot be reached."""
        # An empty request checks the whole server; SERVING is encoded as field 1 with the value 1. This needs no stubs.
        check: UnaryUnary[bytes, bytes] = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes
        )
        return self.call(check, b"") == b"\x08\x01"

    def close(self) -> None:
        """Closes the connection and cancels the calls in progress."""
        self.channel.close()


class Connected:
    """Base class of all clients: holds an owned or shared connection and supports `with`."""

    def __init__(self, url: Optional[str], connection: Optional[Connection], timeout: float) -> None:
        self._owned = connection is None
        self._connection = connection or Connection(url, timeout)

    def close(self) -> None:
        """Closes the connection, unless it is shared."""
        if self._owned:
            self._connection.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()


def _parse(url: str) -> Tuple[str, str, bool]:
    """Returns the gRPC target, its host, and whether it uses TLS."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https", "grpc", "grpcs") or not host or parts.path.strip("/"):
        raise InvalidInput("FIELD_INVALID", "url", f"url must be of the form http://host:port or https://host:port; got '{url}'.")
    secure = parts.scheme in ("https", "grpcs")
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port or (443 if secure else 50051)}", host, secure
