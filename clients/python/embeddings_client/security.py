"""TLS and API keys of a connection."""

from __future__ import annotations

import ipaddress
import os
import ssl
from typing import Any, List, Optional, Tuple

import grpc  # type: ignore[import]

from .errors import InvalidInput

_AUTHORIZATION = "authorization"


def open_channel(
    target: str,
    host: str,
    secure: bool,
    options: List[Tuple[str, Any]],
    ca: Optional[str],
    client_cert: Optional[str],
    client_key: Optional[str],
    api_key: Optional[str],
) -> grpc.Channel:
    """Creates a channel. Nothing is sent.

    Arguments that are None have the defaults of the environment variables in the documentation of `Connection`. Those of files
    do not apply without TLS.

    Args:
        target: ``host:port`` to connect to.
        host: Name or address in `target`.
        secure: Whether to use TLS.
        options: Options of the channel.
        ca, client_cert, client_key, api_key: See `Connection`.

    Raises:
        InvalidInput: If an argument is invalid, a file cannot be used, or the API key would be sent without TLS to another
            machine.
    """
    for name, value in (("ca", ca), ("client_cert", client_cert), ("client_key", client_key)):
        if value and not secure:
            raise _invalid(name, f"{name} requires a URL that starts with https://; the URL is for {target} without TLS.")
    if secure:
        ca = _default(ca, "EMBEDDINGS_CA")
        client_cert = _default(client_cert, "EMBEDDINGS_CLIENT_CERT")
        client_key = _default(client_key, "EMBEDDINGS_CLIENT_KEY")
    api_key = _default(api_key, "EMBEDDINGS_API_KEY")
    if api_key:
        _check_key(api_key, target, secure or is_loopback(host))

    if secure:
        channel = grpc.secure_channel(target, _credentials(ca, client_cert, client_key), options)
    elif api_key:
        # The connection itself must be to this machine, too.
        channel = grpc.insecure_channel(target, [*options, ("grpc.enable_http_proxy", 0)])
    else:
        channel = grpc.insecure_channel(target, options)
    # gRPC refuses call credentials without TLS, so that the key is metadata.
    return grpc.intercept_channel(channel, _ApiKey(api_key)) if api_key else channel


def is_loopback(host: str) -> bool:
    """Returns whether a name or address is ``localhost``, in ``127.0.0.0/8``, or ``::1``. Other names are not resolved."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_key(api_key: str, target: str, protected: bool) -> None:
    # Errors do not contain the key.
    if not all("!" <= letter <= "~" for letter in api_key):
        raise _invalid("api_key", "api_key must consist of printable ASCII characters, without spaces.")
    if not protected:
        raise _invalid(
            "api_key",
            "api_key requires a URL that starts with https://, because a key without TLS can be read in transit, except to this machine "
            f"(localhost, 127.0.0.1, ::1); got {target} without TLS.",
        )


def _credentials(ca: Optional[str], client_cert: Optional[str], client_key: Optional[str]) -> grpc.ChannelCredentials:
    if client_key and not client_cert:
        raise _invalid("client_key", "client_key requires client_cert, the file of its certificate.")
    authorities = _read("ca", ca) if ca else None
    if authorities is not None and b"-----BEGIN CERTIFICATE-----" not in authorities:
        raise _invalid("ca", f"ca must contain a certificate in PEM (-----BEGIN CERTIFICATE-----); '{ca}' has none.")
    if not client_cert:
        return grpc.ssl_channel_credentials(root_certificates=authorities)
    certificate = _read("client_cert", client_cert)
    key = _read("client_key", client_key) if client_key else certificate
    try:
        # gRPC would report a wrong file as a connection that fails. The password prevents a prompt for that of an encrypted key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(client_cert, client_key or None, password="")
    except (OSError, ValueError) as error:
        with_key = f" with client_key '{client_key}'" if client_key else ""
        raise _invalid("client_cert", f"client_cert '{client_cert}'{with_key} cannot be used: {error}") from None
    return grpc.ssl_channel_credentials(root_certificates=authorities, private_key=key, certificate_chain=certificate)


def _default(value: Optional[str], variable: str) -> Optional[str]:
    return (os.environ.get(variable) if value is None else os.fspath(value)) or None


def _read(name: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise _invalid(name, f"{name} '{path}' cannot be read: {error.strerror}.") from None


def _invalid(field: str, message: str) -> InvalidInput:
    return InvalidInput("FIELD_INVALID", field, message)


class _CallDetails(grpc.ClientCallDetails):  # type: ignore[misc]
    """Details of a call with other metadata."""

    def __init__(self, details: grpc.ClientCallDetails, metadata: List[Tuple[str, Any]]) -> None:
        self.method = details.method
        self.timeout = details.timeout
        self.metadata = metadata
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class _ApiKey(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamStreamClientInterceptor):  # type: ignore[misc]
    """Sends an API key with all calls. The contract has no method with a stream of requests and a single response."""

    def __init__(self, api_key: str) -> None:
        self._value = f"Bearer {api_key}"

    def intercept_unary_unary(self, continuation: Any, details: grpc.ClientCallDetails, request: Any) -> Any:
        return continuation(self._with_key(details), request)

    intercept_unary_stream = intercept_stream_stream = intercept_unary_unary

    def _with_key(self, details: grpc.ClientCallDetails) -> _CallDetails:
        return _CallDetails(details, [*(details.metadata or ()), (_AUTHORIZATION, self._value)])
