import threading
import unittest
from concurrent import futures
from typing import Any, Dict, Iterator, List

import grpc
from google.protobuf import any_pb2

from embeddings_client import Connection, EmbeddingsError, ImageItem, Ingest, InvalidInput, StreamOptions
from embeddings_client.stubs import embeddings_status_pb2 as status_pb2
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2 as pb
from embeddings_client.stubs.embeddings.v1 import ingest_service_pb2_grpc as pb_grpc

from .server import items_of


class _Server(pb_grpc.IngestServiceServicer):
    """A server with scripted responses."""

    def __init__(self, answers: Any) -> None:
        self.answers = answers

    def StreamIngest(self, requests: Iterator[pb.StreamIngestRequest], context: grpc.ServicerContext) -> Iterator[pb.StreamIngestResponse]:
        yield from self.answers(requests, context)


def _ack(request: pb.StreamIngestRequest) -> pb.StreamIngestResponse:
    return pb.StreamIngestResponse(item_id=request.item_id, ack=pb.IngestAck(point_id=request.image.job_id))


def _ack_all(message: pb.StreamIngestRequest) -> pb.StreamIngestResponse:
    return pb.StreamIngestResponse(items=map(_ack, message.items)) if message.items else _ack(message)


class StreamsTests(unittest.TestCase):
    def against(self, answers: Any, timeout: float = 10.0, **options: Any) -> Ingest:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        pb_grpc.add_IngestServiceServicer_to_server(_Server(answers), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        connection = Connection(f"http://127.0.0.1:{port}", timeout=timeout, streams=StreamOptions(**options))
        self.addCleanup(lambda: server.stop(0).wait(10))
        self.addCleanup(connection.close)
        return Ingest(connection=connection)

    def test_a_silent_server_times_out(self) -> None:
        released = threading.Event()
        self.addCleanup(released.set)

        def silent(requests: Any, context: Any) -> Iterator[Any]:
            yield _ack(next(items_of(requests)))
            released.wait(30)

        ingest = self.against(silent, timeout=0.5)
        results = ingest.stream([ImageItem("a", b"1"), ImageItem("b", b"2")])
        self.assertEqual(next(results).point_id, "a")
        with self.assertRaises(EmbeddingsError) as caught:
            next(results)
        self.assertIs(caught.exception.code, grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_responses_out_of_order_are_an_error(self) -> None:
        def swapped(requests: Any, context: Any) -> Iterator[Any]:
            items = items_of(requests)
            first, second = next(items), next(items)
            yield _ack(second)
            yield _ack(first)

        with self.assertRaisesRegex(EmbeddingsError, "out of order"):
            list(self.against(swapped).stream([ImageItem("a", b"1"), ImageItem("b", b"2")]))

    def test_missing_responses_are_an_error(self) -> None:
        def short(requests: Any, context: Any) -> Iterator[Any]:
            for index, request in enumerate(items_of(requests)):
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
                    for index, request in enumerate(items_of(requests)):
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
        ingest = self.against(lambda requests, context: map(_ack_all, requests))

        def closing() -> Iterator[ImageItem]:
            yield ImageItem("a", b"1")
            ingest._connection.close()
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
            items = items_of(requests)
            taken = [next(items) for _ in range(512)]
            answer.wait(10)
            yield from map(_ack, taken)
            yield from map(_ack, items)

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
            list(self.against(lambda requests, context: map(_ack_all, requests)).stream(broken()))

    def test_items_rejected_by_the_client_keep_their_position(self) -> None:
        items = [ImageItem("a", b""), ImageItem("b", b"1"), ImageItem("c", b""), ImageItem("d", b""), ImageItem("e", b"1"), ImageItem("f", b"")]
        results = list(self.against(lambda requests, context: map(_ack_all, requests)).stream(items))
        self.assertEqual([(result.label, result.ok) for result in results], [("a", False), ("b", True), ("c", False), ("d", False), ("e", True), ("f", False)])
        self.assertEqual({result.error.reason for result in results if result.error}, {"IMAGE_EMPTY"})

    def test_a_source_is_read_only_as_fast_as_the_server_reads(self) -> None:
        taken = threading.Event()
        self.addCleanup(taken.set)
        read = []

        def stuck(requests: Any, context: Any) -> Iterator[Any]:
            taken.wait(10)
            yield from map(_ack_all, requests)

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

    def test_items_that_wait_are_sent_in_one_message(self) -> None:
        sizes: List[int] = []

        def counting(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                sizes.append(len(message.items))
                yield _ack_all(message)

        names = [f"{number}" for number in range(1000)]
        results = list(self.against(counting, batch_delay=1).stream(ImageItem(name, b"1") for name in names))
        self.assertEqual([result.point_id for result in results], names)
        self.assertEqual(max(sizes), 64)
        self.assertLess(len(sizes), 100)

    def test_a_single_item_is_sent_in_the_single_form(self) -> None:
        forms: List[Any] = []

        def noting(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                forms.append((message.item_id, len(message.items)))
                yield _ack_all(message)

        answered = threading.Semaphore(1)

        def one_by_one() -> Iterator[ImageItem]:
            for number in range(5):
                self.assertTrue(answered.acquire(timeout=10))
                yield ImageItem(f"{number}", b"1")

        for _ in self.against(noting, batch_delay=1).stream(one_by_one()):
            answered.release()
        self.assertEqual(forms, [(f"{number}", 0) for number in range(5)])

    def test_messages_keep_their_bounds(self) -> None:
        messages: List[pb.StreamIngestRequest] = []

        def noting(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                messages.append(message)
                yield _ack_all(message)

        def sizes() -> List[int]:
            return [sum(item.ByteSize() for item in message.items) for message in messages if message.items]

        ingest = self.against(noting, max_items_per_message=1000, max_bytes_per_message=10_000, batch_delay=1)
        self.assertEqual(len(list(ingest.stream(ImageItem(f"{number}", bytes(1500)) for number in range(100)))), 100)
        self.assertTrue(sizes() and max(sizes()) <= 10_000, sizes())
        # An item that is larger is sent alone.
        messages.clear()
        self.assertEqual(len(list(ingest.stream(ImageItem(f"{number}", bytes(20_000 if number == 5 else 100)) for number in range(10)))), 10)
        self.assertEqual([message.item_id for message in messages if message.ByteSize() > 10_000], ["5"])
        # A quarter of the window, so that several messages are in flight.
        messages.clear()
        ingest = self.against(noting, max_in_flight=40, batch_delay=1)
        self.assertEqual(len(list(ingest.stream(ImageItem(f"{number}", b"1") for number in range(200)))), 200)
        self.assertEqual(max(len(message.items) for message in messages), 10)

    def test_one_item_per_message_turns_batches_off(self) -> None:
        def single(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                self.assertEqual(len(message.items), 0)
                yield _ack(message)

        ingest = self.against(single, max_items_per_message=1)
        self.assertEqual(len(list(ingest.stream(ImageItem(f"{number}", b"1") for number in range(200)))), 200)

    def test_an_item_waits_no_longer_than_the_delay(self) -> None:
        received = threading.Event()

        def first_late(requests: Any, context: Any) -> Iterator[Any]:
            items = items_of(requests)
            first = next(items)
            second = next(items)
            received.set()
            yield from (_ack(first), _ack(second))
            yield from map(_ack, items)

        def paused() -> Iterator[ImageItem]:
            yield ImageItem("a", b"1")
            yield ImageItem("b", b"1")
            # The source is blocked until the second item is there, which no further item pushes.
            self.assertTrue(received.wait(10))
            yield ImageItem("c", b"1")

        results = self.against(first_late).stream(paused())
        self.assertEqual([result.point_id for result in results], ["a", "b", "c"])

    def test_results_can_come_in_several_messages(self) -> None:
        def split(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                acks = [_ack(item) for item in message.items or [message]]
                for start in range(0, len(acks), 7):
                    yield pb.StreamIngestResponse(items=acks[start : start + 7])

        names = [f"{number}" for number in range(300)]
        results = list(self.against(split).stream(ImageItem(name, b"1") for name in names))
        self.assertEqual([result.point_id for result in results], names)

    def test_errors_of_items_keep_their_place_in_a_message(self) -> None:
        def some(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                answers = [_ack(item) for item in message.items or [message]]
                for answer in answers:
                    if int(answer.item_id) % 10 == 3:
                        answer.error.reason = "IMAGE_EMPTY"
                yield pb.StreamIngestResponse(items=answers)

        results = list(self.against(some).stream(ImageItem(f"{number}", b"1") for number in range(200)))
        self.assertEqual([at for at, result in enumerate(results) if result.error], list(range(3, 200, 10)))
        self.assertEqual([result.label for result in results], [f"{number}" for number in range(200)])

    def test_a_connection_that_breaks_within_a_message_loses_no_item(self) -> None:
        calls: List[int] = []
        received: Dict[str, int] = {}

        def breaking(requests: Any, context: Any) -> Iterator[Any]:
            calls.append(0)
            number = len(calls)
            for message in requests:
                items = list(message.items or [message])
                for item in items:
                    received[item.item_id] = received.get(item.item_id, 0) + 1
                if number <= 3 and len(items) > 5:
                    # Some of the message's results arrive.
                    yield pb.StreamIngestResponse(items=map(_ack, items[:5]))
                    context.abort(grpc.StatusCode.UNAVAILABLE, "away")
                yield _ack_all(message)

        names = [f"{number}" for number in range(300)]
        results = list(self.against(breaking, batch_delay=1).stream(ImageItem(name, b"1") for name in names))
        self.assertEqual([result.point_id for result in results], names)
        self.assertEqual(len(calls), 4)
        self.assertGreater(max(received.values()), 1)

    def test_more_results_than_items_are_an_error(self) -> None:
        def more(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                yield pb.StreamIngestResponse(items=[_ack(message)] * 2)

        with self.assertRaisesRegex(EmbeddingsError, "out of order"):
            list(self.against(more).stream([ImageItem("a", b"1")]))

    def test_a_server_of_an_earlier_version_is_an_error(self) -> None:
        def old(requests: Any, context: Any) -> Iterator[Any]:
            for message in requests:
                # It ignores the unknown items and sees an empty one.
                yield _ack(message) if message.item_id else pb.StreamIngestResponse(error={"reason": "FIELD_REQUIRED"})

        with self.assertRaisesRegex(EmbeddingsError, "out of order") as caught:
            list(self.against(old).stream(ImageItem(f"{number}", b"1") for number in range(100)))
        self.assertIs(caught.exception.code, grpc.StatusCode.INTERNAL)

    def test_options_have_limits(self) -> None:
        for field, value in (("max_items_per_message", 0), ("max_items_per_message", 1001), ("max_bytes_per_message", 0), ("batch_delay", -0.1), ("batch_delay", 2), ("max_in_flight", 0)):
            with self.subTest(field=field, value=value), self.assertRaisesRegex(InvalidInput, f"{field} must be .*; got {value}"):
                StreamOptions(**{field: value})

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
