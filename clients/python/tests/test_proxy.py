import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
from concurrent import futures
from pathlib import Path
from typing import Any, Callable, Iterator, List

import grpc

from embeddings_client import ImageItem, Ingest
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2 as pb
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2_grpc as pb_grpc

from .server import items_of

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")

# Ends a stream that is idle for half a second, without trailers.
CONFIGURATION = """
defaults
  mode http
  timeout connect 5s
  timeout client 500ms
  timeout server 500ms
listen embeddings
  bind fd@{listener} proto h2
  server embeddings 127.0.0.1:{port} proto h2
"""


class _Server(pb_grpc.IngestServiceServicer):
    def __init__(self, handler: Callable[[int, Any], Iterator[Any]]) -> None:
        self.handler, self.calls = handler, 0

    def StreamIngest(self, requests: Any, context: Any) -> Iterator[Any]:
        self.calls += 1
        return self.handler(self.calls, items_of(requests))


def _ack(request: Any) -> Any:
    return pb.StreamIngestResponse(item_id=request.item_id, ack=pb.IngestAck(point_id=request.image.job_id))


@unittest.skipIf(HAPROXY is None, "haproxy is not installed")
class ProxyTests(unittest.TestCase):
    def behind_a_proxy(self, server: _Server) -> Ingest:
        host = grpc.server(futures.ThreadPoolExecutor(16))
        pb_grpc.add_IngestServiceServicer_to_server(server, host)
        port = host.add_insecure_port("127.0.0.1:0")
        host.start()
        self.addCleanup(lambda: host.stop(0).wait(10))
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # The proxy inherits the socket, which queues connections until the proxy is ready.
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        configuration = Path(folder.name, "haproxy.cfg")
        configuration.write_text(CONFIGURATION.format(listener=listener.fileno(), port=port), encoding="utf-8")
        proxy = subprocess.Popen([str(HAPROXY), "-db", "-q", "-f", str(configuration)], pass_fds=[listener.fileno()])
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.kill)
        ingest = Ingest(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20)
        self.addCleanup(ingest.close)
        return ingest

    def points(self, server: _Server, items: Iterator[ImageItem]) -> List[str]:
        return [result.point_id for result in self.behind_a_proxy(server).stream(items)]

    def test_a_source_that_pauses_longer_than_the_proxy_waits_loses_no_item(self) -> None:
        def pausing() -> Iterator[ImageItem]:
            for number in range(30):
                if number % 10 == 5:
                    time.sleep(1.2)
                yield ImageItem(f"{number}", b"1")

        server = _Server(lambda _, requests: map(_ack, requests))
        self.assertEqual(self.points(server, pausing()), [f"{number}" for number in range(30)])
        self.assertGreater(server.calls, 1)

    def test_items_without_an_answer_when_the_proxy_ends_the_stream_are_sent_again(self) -> None:
        ended = threading.Event()
        self.addCleanup(ended.set)

        def stuck_at_first(call: int, requests: Any) -> Iterator[Any]:
            for index, request in enumerate(requests):
                if call <= 2 and index == 7:
                    ended.wait(10)
                yield _ack(request)

        server = _Server(stuck_at_first)
        self.assertEqual(self.points(server, (ImageItem(f"{number}", b"1") for number in range(20))), [f"{number}" for number in range(20)])
        self.assertEqual(server.calls, 3)
