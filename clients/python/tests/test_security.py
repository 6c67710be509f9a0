import os
import shutil
import subprocess
import tempfile
import unittest
from concurrent import futures
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional
from unittest import mock

import grpc

from embeddings_client import Connection, EmbeddingsError, ImageItem, Ingest, InvalidInput, Persons
from embeddings_client.security import is_loopback
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2 as ingest_pb
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2_grpc, person_service_pb2_grpc
from embeddings_client.stubs.embeddings.v1 import person_service_pb2 as person_pb

from .server import items_of

VARIABLES = ("EMBEDDINGS_CA", "EMBEDDINGS_CLIENT_CERT", "EMBEDDINGS_CLIENT_KEY", "EMBEDDINGS_API_KEY")
KEY = "emb_secret"


class _Server(ingest_service_pb2_grpc.IngestServiceServicer, person_service_pb2_grpc.PersonServiceServicer):
    """Notes the values of `authorization` and the subjects of the client certificates of its calls."""

    def __init__(self) -> None:
        self.values: List[Any] = []
        self.subjects: List[Any] = []

    def note(self, context: grpc.ServicerContext) -> None:
        self.values.append([value for name, value in context.invocation_metadata() if name == "authorization"])
        self.subjects.append(context.auth_context().get("x509_common_name"))

    def ListPersons(self, request: person_pb.ListPersonsRequest, context: grpc.ServicerContext) -> person_pb.ListPersonsResponse:
        self.note(context)
        return person_pb.ListPersonsResponse(unnamed_count=7)

    def ClusterFaces(self, request: person_pb.ClusterFacesRequest, context: grpc.ServicerContext) -> Iterator[person_pb.ClusterFacesResponse]:
        self.note(context)
        yield person_pb.ClusterFacesResponse(summary=person_pb.ClusterSummary())

    def StreamIngest(self, requests: Iterator[ingest_pb.StreamIngestRequest], context: grpc.ServicerContext) -> Iterator[ingest_pb.StreamIngestResponse]:
        self.note(context)
        for request in items_of(requests):
            yield ingest_pb.StreamIngestResponse(item_id=request.item_id, ack=ingest_pb.IngestAck(point_id=request.image.job_id))


class SecurityTests(unittest.TestCase):
    def setUp(self) -> None:
        cleared = mock.patch.dict(os.environ)
        cleared.start()
        self.addCleanup(cleared.stop)
        for name in VARIABLES:
            os.environ.pop(name, None)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.service = _Server()

    def serve(self, credentials: Optional[grpc.ServerCredentials] = None) -> int:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        ingest_service_pb2_grpc.add_IngestServiceServicer_to_server(self.service, server)
        person_service_pb2_grpc.add_PersonServiceServicer_to_server(self.service, server)
        port: int = server.add_secure_port("127.0.0.1:0", credentials) if credentials else server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.addCleanup(lambda: server.stop(0).wait(10))
        return port

    def connect(self, url: str, **options: Any) -> Connection:
        connection = Connection(url, timeout=10, **options)
        self.addCleanup(connection.close)
        return connection

    def call_all(self, connection: Connection) -> None:
        """Makes a unary call, one with a stream of responses, and one with streams of both."""
        persons = Persons(connection=connection)
        self.assertEqual(persons.unnamed_count(), 7)
        persons.cluster()
        results = list(Ingest(connection=connection).stream([ImageItem("a", b"1"), ImageItem("b", b"2")]))
        self.assertEqual([result.point_id for result in results], ["a", "b"])

    def refuses(self, field: str, url: str, **options: Any) -> InvalidInput:
        with self.assertRaises(InvalidInput) as caught:
            Connection(url, **options)
        self.assertEqual((caught.exception.reason, caught.exception.field), ("FIELD_INVALID", field))
        return caught.exception

    def make_certificates(self) -> None:
        def openssl(*arguments: str) -> None:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *arguments], cwd=self.folder, check=True, capture_output=True)

        def issue(name: str, *arguments: str) -> None:
            subject = ["-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:FALSE"]
            openssl("-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key", "-out", f"{name}.pem", *subject, *arguments)

        openssl("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA")
        issue("server", "-addext", "subjectAltName=IP:127.0.0.1")
        issue("client")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def content(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def test_the_key_is_sent_with_every_kind_of_call(self) -> None:
        self.call_all(self.connect(f"http://127.0.0.1:{self.serve()}", api_key=KEY))
        self.assertEqual(self.service.values, [[f"Bearer {KEY}"]] * 3)

    def test_without_a_key_none_is_sent(self) -> None:
        self.call_all(self.connect(f"http://127.0.0.1:{self.serve()}"))
        self.assertEqual(self.service.values, [[]] * 3)

    def test_a_proxy_gets_no_key_for_this_machine(self) -> None:
        os.environ["http_proxy"] = os.environ["grpc_proxy"] = "http://127.0.0.1:1"
        self.call_all(self.connect(f"http://127.0.0.1:{self.serve()}", api_key=KEY))

    def test_the_key_of_the_environment_is_the_default(self) -> None:
        os.environ["EMBEDDINGS_API_KEY"] = KEY
        url = f"http://127.0.0.1:{self.serve()}"
        Persons(connection=self.connect(url)).unnamed_count()
        Persons(connection=self.connect(url, api_key="other")).unnamed_count()
        Persons(connection=self.connect(url, api_key="")).unnamed_count()
        self.assertEqual(self.service.values, [[f"Bearer {KEY}"], ["Bearer other"], []])

    def test_a_key_without_tls_is_only_for_this_machine(self) -> None:
        for url in ("http://embeddings.example.com:50051", "10.0.0.1:50051", "http://127.0.0.1.example.com", "http://127.0.0.1@example.com", "http://[::2]:1"):
            error = self.refuses("api_key", url, api_key=KEY)
            self.assertIn("https://", error.message)
            self.assertNotIn(KEY, str(error))
        os.environ["EMBEDDINGS_API_KEY"] = KEY
        self.refuses("api_key", "http://embeddings.example.com:50051")
        for url in ("https://embeddings.example.com", "http://localhost", "http://LOCALHOST:1", "http://127.0.0.1:1", "http://127.1.2.3", "http://[::1]:1"):
            self.connect(url)

    def test_loopback_names(self) -> None:
        for host in ("localhost", "Localhost", "127.0.0.1", "127.255.255.254", "::1"):
            self.assertTrue(is_loopback(host), host)
        for host in ("", "localhost.example.com", "127.0.0.1.example.com", "127.1", "0.0.0.0", "10.0.0.1", "::", "example.com"):
            self.assertFalse(is_loopback(host), host)

    def test_a_key_with_other_characters_is_refused(self) -> None:
        for key in (" ", "a b", "a\n", "k\u00e9y"):
            self.assertIn("printable ASCII", self.refuses("api_key", "https://localhost", api_key=key).message)

    def test_files_need_tls(self) -> None:
        for name in ("ca", "client_cert", "client_key"):
            options: Dict[str, str] = {name: self.path("any.pem")}
            self.assertIn("https://", self.refuses(name, "http://localhost", **options).message)
        os.environ["EMBEDDINGS_CA"] = self.path("missing.pem")
        self.connect("http://localhost:50051")
        self.refuses("ca", "https://localhost:50051")
        self.connect("https://localhost:50051", ca="")

    def test_files_that_cannot_be_used_are_refused(self) -> None:
        (self.folder / "text.pem").write_text("text", encoding="utf-8")
        self.assertIn("cannot be read", self.refuses("ca", "https://localhost", ca=self.path("missing.pem")).message)
        self.assertIn("BEGIN CERTIFICATE", self.refuses("ca", "https://localhost", ca=self.path("text.pem")).message)
        self.refuses("client_cert", "https://localhost", client_cert=self.path("missing.pem"))
        self.refuses("client_key", "https://localhost", client_key=self.path("text.pem"))
        self.refuses("client_cert", "https://localhost", client_cert=self.path("text.pem"), client_key=self.path("text.pem"))

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_tls_with_an_authority_a_client_certificate_and_a_key(self) -> None:
        self.make_certificates()
        credentials = grpc.ssl_server_credentials(
            [(self.content("server.key"), self.content("server.pem"))], root_certificates=self.content("ca.pem"), require_client_auth=True
        )
        url = f"https://127.0.0.1:{self.serve(credentials)}"
        client = {"ca": self.path("ca.pem"), "client_cert": self.path("client.pem"), "client_key": self.path("client.key")}
        self.call_all(self.connect(url, **client, api_key=KEY))
        self.assertEqual(self.service.values, [[f"Bearer {KEY}"]] * 3)
        self.assertEqual(self.service.subjects, [[b"client"]] * 3)

        # One file can have both.
        (self.folder / "both.pem").write_bytes(self.content("client.pem") + self.content("client.key"))
        self.call_all(self.connect(url, ca=self.path("ca.pem"), client_cert=self.path("both.pem")))
        os.environ.update(EMBEDDINGS_CA=client["ca"], EMBEDDINGS_CLIENT_CERT=client["client_cert"], EMBEDDINGS_CLIENT_KEY=client["client_key"])
        self.call_all(self.connect(url))
        self.assertEqual(self.service.subjects, [[b"client"]] * 9)

        for options in ({"ca": ""}, {"client_cert": "", "client_key": ""}):
            with self.assertRaises(EmbeddingsError) as caught:
                Persons(connection=self.connect(url, **options)).unnamed_count()
            self.assertIs(caught.exception.code, grpc.StatusCode.UNAVAILABLE)
        self.refuses("client_cert", url, **{**client, "client_key": self.path("server.key")})
        self.assertEqual(len(self.service.values), 9)


if __name__ == "__main__":
    unittest.main()
