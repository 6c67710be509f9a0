import threading
import unittest
from concurrent import futures
from typing import Any, Iterator

import grpc
from google.protobuf import any_pb2

from embeddings_client import EmbeddingsError, ImageItem, Ingest
from embeddings_client.stubs import embeddings_status_pb2 as status_pb2
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2 as pb
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2_grpc as pb_grpc


class _Server(pb_grpc.IngestServiceServicer):
    """A server with scripted responses."""

    def __init__(self, answers: Any) -> None:
        self.answers = answers

    def StreamIngest(self, requests: Iterator[pb.StreamIngestRequest], context: grpc.ServicerContext) -> Iterator[pb.StreamIngestResponse]:
        yield from self.answers(requests, context)


def _ack(request: pb.StreamIngestRequest) -> pb.StreamIngestResponse:
    return pb.StreamIngestResponse(item_id=request.item_id, ack=pb.IngestAck(point_id=request.image.job_id))


class StreamsTests(unittest.TestCase):
    def against(self, answers: Any, timeout: float = 10.0) -> Ingest:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        pb_grpc.add_IngestServiceServicer_to_server(_Server(answers), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        ingest = Ingest(f"http://127.0.0.1:{port}", timeout=timeout)
        self.addCleanup(lambda: server.stop(0).wait(10))
        self.addCleanup(ingest.close)
        return ingest

    def test_a_silent_server_times_out(self) -> None:
        released = threading.Event()
        self.addCleanup(released.set)

        def silent(requests: Any, context: Any) -> Iterator[Any]:
            yield _ack(next(requests))
            released.wait(30)

        ingest = self.against(silent, timeout=0.5)
        results = ingest.stream([ImageItem("a", b"1"), ImageItem("b", b"2")])
        self.assertEqual(next(results).point_id, "a")
        with self.assertRaises(EmbeddingsError) as caught:
            next(results)
        self.assertIs(caught.exception.code, grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_responses_out_of_order_are_an_error(self) -> None:
        def swapped(requests: Any, context: Any) -> Iterator[Any]:
            first, second = next(requests), next(requests)
            yield _ack(second)
            yield _ack(first)

        with self.assertRaisesRegex(EmbeddingsError, "out of order"):
            list(self.against(swapped).stream([ImageItem("a", b"1"), ImageItem("b", b"2")]))

    def test_missing_responses_are_an_error(self) -> None:
        def short(requests: Any, context: Any) -> Iterator[Any]:
            for index, request in enumerate(requests):
                if index == 0:
                    yield _ack(request)

        with self.assertRaisesRegex(EmbeddingsError, "1 items unanswered"):
            list(self.against(short).stream([ImageItem("a", b"1"), ImageItem("b", b"2")]))

    def test_a_stream_that_the_server_did_not_end_itself_is_resumed(self) -> None:
        for code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
            with self.subTest(code):
                calls = []

                def breaking(requests: Any, context: Any) -> Iterator[Any]:
                    calls.append(code)
                    for index, request in enumerate(requests):
                        if len(calls) <= 3 and index == 10:
                            context.abort(code, "away")
                        yield _ack(request)

                names = [f"{number}" for number in range(60)]
                results = list(self.against(breaking).stream(ImageItem(name, b"1") for name in names))
                self.assertEqual([result.point_id for result in results], names)
                self.assertEqual(len(calls), 4)

    def test_an_end_that_the_server_states_itself_is_final(self) -> None:
        calls = []

        def refused(requests: Any, context: Any) -> Iterator[Any]:
            calls.append(next(requests).item_id)
            info = status_pb2.ErrorInfo(reason="INTERNAL")
            detail = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
            status = status_pb2.Status(code=13, message="bug", details=[detail])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.INTERNAL, "bug")
            yield

        with self.assertRaises(EmbeddingsError) as caught:
            list(self.against(refused).stream([ImageItem("a", b"1")]))
        self.assertEqual((caught.exception.reason, calls), ("INTERNAL", ["0"]))

    def test_an_idle_source_does_not_use_up_attempts(self) -> None:
        calls = []
        read = threading.Semaphore(0)

        def one_each(requests: Any, context: Any) -> Iterator[Any]:
            calls.append(context)
            yield _ack(next(requests))
            context.abort(grpc.StatusCode.CANCELLED, "time limit")

        def slow() -> Iterator[ImageItem]:
            for number in range(12):
                if number:
                    self.assertTrue(read.acquire(timeout=10))
                yield ImageItem(f"{number}", b"1")

        names = []
        for result in self.against(one_each).stream(slow()):
            names.append(result.point_id)
            read.release()
        self.assertEqual(names, [f"{number}" for number in range(12)])
        self.assertGreater(len(calls), 5)

    def test_a_closed_connection_ends_its_streams(self) -> None:
        ingest = self.against(lambda requests, context: map(_ack, requests))

        def closing() -> Iterator[ImageItem]:
            yield ImageItem("a", b"1")
            ingest.close()
            yield ImageItem("b", b"1")

        with self.assertRaises(EmbeddingsError) as caught:
            list(ingest.stream(closing()))
        self.assertIs(caught.exception.code, grpc.StatusCode.CANCELLED)

    def test_a_stream_without_items_makes_no_call(self) -> None:
        self.assertEqual(list(self.against(lambda requests, context: self.fail("called")).stream([])), [])

    def test_at_most_512_requests_are_in_flight(self) -> None:
        answer = threading.Event()
        self.addCleanup(answer.set)

        def late(requests: Any, context: Any) -> Iterator[Any]:
            taken = [next(requests) for _ in range(512)]
            answer.wait(10)
            yield from map(_ack, taken)
            yield from map(_ack, requests)

        def many() -> Iterator[ImageItem]:
            for number in range(600):
                if number == 511:
                    threading.Timer(0.3, answer.set).start()
                self.assertTrue(number < 512 or answer.is_set(), f"item {number} was read")
                yield ImageItem(f"{number}", b"1")

        self.assertEqual(len(list(self.against(late).stream(many()))), 600)

    def test_exceptions_of_the_source_are_raised_unchanged(self) -> None:
        def broken() -> Iterator[ImageItem]:
            yield ImageItem("a", b"1")
            raise KeyError("lost")

        with self.assertRaises(KeyError):
            list(self.against(lambda requests, context: (_ack(request) for request in requests)).stream(broken()))

    def test_items_rejected_by_the_client_keep_their_position(self) -> None:
        items = [ImageItem("a", b""), ImageItem("b", b"1"), ImageItem("c", b""), ImageItem("d", b""), ImageItem("e", b"1"), ImageItem("f", b"")]
        results = list(self.against(lambda requests, context: (_ack(request) for request in requests)).stream(items))
        self.assertEqual([(result.label, result.ok) for result in results], [("a", False), ("b", True), ("c", False), ("d", False), ("e", True), ("f", False)])
        self.assertEqual({result.error.reason for result in results if result.error}, {"IMAGE_EMPTY"})

    def test_a_source_is_read_only_as_fast_as_the_server_reads(self) -> None:
        taken = threading.Event()
        self.addCleanup(taken.set)
        read = []

        def stuck(requests: Any, context: Any) -> Iterator[Any]:
            taken.wait(10)
            for request in requests:
                yield _ack(request)

        def many() -> Iterator[ImageItem]:
            for index in range(2000):
                read.append(index)
                if len(read) > 1000:
                    taken.set()
                yield ImageItem(str(index), bytes(200_000))

        # Without backpressure, 400 MB would be read at once; flow control allows a few hundred kB.
        results = self.against(stuck).stream(many())
        threading.Timer(1.0, taken.set).start()
        next(results)
        self.assertLess(len(read), 1000)
        results.close()

    def test_an_unreachable_server_is_an_error(self) -> None:
        with Ingest("http://127.0.0.1:1", timeout=5) as ingest, self.assertRaises(EmbeddingsError) as caught:
            list(ingest.stream([ImageItem("a", b"1")]))
        self.assertTrue(caught.exception.retryable)

    def test_urls(self) -> None:
        for url in ("http://localhost:50051", "localhost:50051", "https://example.org", "http://[::1]:50051/"):
            Ingest(url).close()
        for url in ("ftp://localhost", "http://", "http://localhost:99999999", "http://localhost/path"):
            with self.subTest(url=url), self.assertRaises(ValueError):
                Ingest(url)
