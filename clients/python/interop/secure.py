"""Runs the step `secure` described in clients/README.md.

Usage: secure.py HOST:PORT FOLDER
"""

import sys
from pathlib import Path
from typing import Any, Callable, List, Optional

import grpc
import numpy as np

from embeddings_client import Connection, EmbeddingsError, FaceItem, Ingest, IngestResult, InvalidInput
from embeddings_client.stubs.embeddings.v1 import model_service_pb2, model_service_pb2_grpc

COLLECTION, ITEMS = "interop_python_secure", 20


class Secure:
    def __init__(self, address: str, folder: Path) -> None:
        self.url, self.folder = f"https://{address}", folder

    def connect(self, *, ca: bool = True, key: Optional[str] = None, certificate: bool = False) -> Connection:
        return Connection(
            self.url,
            ca=self.file("ca.pem") if ca else None,
            client_cert=self.file("client.pem") if certificate else None,
            client_key=self.file("client.key") if certificate else None,
            api_key=Path(self.file(key)).read_text(encoding="utf-8").strip() if key else None,
        )

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def key(self) -> None:
        with_key = self.connect(key="key.txt")
        models(with_key)
        outcomes = ingest(with_key)
        expect(all(outcome.ok for outcome in outcomes), f"errors are {[str(outcome.error) for outcome in outcomes if not outcome.ok][:1]}")
        # Collections are checked for each item.
        denied = ingest(with_key, "other_python")
        codes = {(outcome.error.code, outcome.error.reason) for outcome in denied if outcome.error}
        expect(codes == {(grpc.StatusCode.PERMISSION_DENIED, "COLLECTION_DENIED")}, f"another collection gives {codes}")

    def no_key(self) -> None:
        fails(lambda: models(self.connect()), grpc.StatusCode.UNAUTHENTICATED, "KEY_MISSING")
        fails(lambda: ingest(self.connect()), grpc.StatusCode.UNAUTHENTICATED, "KEY_MISSING")

    def wrong_key(self) -> None:
        fails(lambda: models(self.connect(key="wrong-key.txt")), grpc.StatusCode.UNAUTHENTICATED, "KEY_INVALID")

    def read_key(self) -> None:
        models(self.connect(key="read-key.txt"))
        fails(lambda: ingest(self.connect(key="read-key.txt")), grpc.StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")

    def certificate(self) -> None:
        models(self.connect(certificate=True))
        expect(all(outcome.ok for outcome in ingest(self.connect(certificate=True))), "an item failed")

    def no_ca(self) -> None:
        error = fails(lambda: models(self.connect(ca=False, key="key.txt")), grpc.StatusCode.UNAVAILABLE, "")
        expect("certificate" in error.message.lower(), f"the message is '{error.message}'")

    def clear_text(self) -> None:
        try:
            Connection("http://embeddings.example.com:50051", api_key="secret-key")
        except InvalidInput as error:
            expect(error.field == "api_key" and "https://" in error.message and "secret-key" not in str(error), f"the message is '{error.message}'")
        else:
            expect(False, "no error")


def models(connection: Connection) -> None:
    stub = model_service_pb2_grpc.ModelServiceStub(connection.channel)
    expect(len(connection.call(stub.ListModels, model_service_pb2.ListModelsRequest()).models) > 0, "no models")


def ingest(connection: Connection, collection: str = COLLECTION) -> List[IngestResult]:
    y, x, c = np.ogrid[:112, :112, :3]
    items = (FaceItem("secure-python", number, ((7 * x + 13 * y + 31 * c + 17 * number) % 256).astype(np.uint8)) for number in range(ITEMS))
    outcomes = list(Ingest(connection=connection).stream(items, collection=collection))
    expect(len(outcomes) == ITEMS, f"{len(outcomes)} results")
    return outcomes


def fails(call: Callable[[], Any], code: grpc.StatusCode, reason: str) -> EmbeddingsError:
    try:
        call()
    except EmbeddingsError as error:
        expect((error.code, error.reason) == (code, reason), f"got {error.code} {error}")
        return error
    raise AssertionError(f"no error instead of {reason or code}")


def expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def main() -> int:
    address, folder = sys.argv[1:]
    secure = Secure(address, Path(folder))
    for name in ("key", "no_key", "wrong_key", "read_key", "certificate", "no_ca", "clear_text"):
        try:
            getattr(secure, name)()
        except Exception as error:
            print(f"FAILED secure {name}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
            return 1
    print("ok secure", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
