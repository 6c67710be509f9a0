package io.embeddings.client;

import com.google.protobuf.ByteString;
import io.embeddings.v1.Embedding;
import io.embeddings.v1.Image;
import io.embeddings.v1.ImageItem;
import io.embeddings.v1.IngestAck;
import io.embeddings.v1.IngestServiceGrpc;
import io.embeddings.v1.ItemError;
import io.embeddings.v1.StreamIngestRequest;
import io.embeddings.v1.StreamIngestResponse;
import io.embeddings.v1.VectorPoint;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Tests of the messages of a stream, against a server with scripted responses. */
public final class ExchangeTest {
    private ExchangeTest() {}

    private interface Test {
        void run() throws Exception;
    }

    /** Answers a message of a call. */
    private interface Script {
        void answer(StreamIngestRequest message, StreamObserver<StreamIngestResponse> responses, int call);
    }

    public static void main(String[] arguments) {
        Map<String, Test> tests = new LinkedHashMap<>();
        tests.put("items that wait are sent in one message", ExchangeTest::itemsThatWaitAreSentInOneMessage);
        tests.put("a single item is sent in the single form", ExchangeTest::aSingleItemIsSentInTheSingleForm);
        tests.put("messages keep their bounds", ExchangeTest::messagesKeepTheirBounds);
        tests.put("an item waits no longer than the delay", ExchangeTest::anItemWaitsNoLongerThanTheDelay);
        tests.put("results can come in several messages with errors in their place", ExchangeTest::resultsCanComeInSeveralMessages);
        tests.put("a connection that breaks within a message loses no item", ExchangeTest::aConnectionThatBreaksWithinAMessageLosesNoItem);
        tests.put("more results than items are an error", ExchangeTest::moreResultsThanItemsAreAnError);
        tests.put("a server of an earlier version needs messages of one item", ExchangeTest::aServerOfAnEarlierVersionNeedsMessagesOfOneItem);
        tests.put("exceptions of the source and of the handler are rethrown unchanged", ExchangeTest::exceptionsAreRethrownUnchanged);
        tests.put("a silent server times out, an idle source does not", ExchangeTest::aSilentServerTimesOut);
        tests.put("options have limits", ExchangeTest::optionsHaveLimits);
        tests.put("vectors as bytes", ExchangeTest::vectorsAsBytes);
        boolean ok = true;
        for (Map.Entry<String, Test> test : tests.entrySet()) {
            try {
                test.getValue().run();
                System.out.println("ok " + test.getKey());
            } catch (Exception | AssertionError e) {
                System.out.println("FAILED " + test.getKey() + ": " + e);
                ok = false;
            }
        }
        System.exit(ok ? 0 : 1);
    }

    private static void itemsThatWaitAreSentInOneMessage() throws Exception {
        try (Service service = new Service((message, responses, call) -> responses.onNext(acks(message)))) {
            Exchange<StreamIngestRequest, StreamIngestResponse> exchange = Exchange.ingest(service.channel, slow());
            List<String> ids = new ArrayList<>();
            exchange.run(items(1000, 10), (request, answer) -> ids.add(answer.getItemId()));
            check(ids.equals(names(1000)), "answered: " + ids);
            check(service.most() == 64, "the largest message has " + service.most() + " items");
            check(service.messages.size() < 100, service.messages.size() + " messages");
            check(exchange.messagesSent() == service.messages.size(), exchange.messagesSent() + " were counted");
        }
    }

    private static void aSingleItemIsSentInTheSingleForm() throws Exception {
        Semaphore answered = new Semaphore(1);
        try (Service service = new Service((message, responses, call) -> responses.onNext(acks(message)))) {
            Iterator<StreamIngestRequest> source = names(5).stream().map(name -> {
                acquire(answered);
                return item(name, 10);
            }).iterator();
            Exchange.ingest(service.channel, slow()).run(source, (request, answer) -> answered.release());
            check(service.messages.size() == 5 && service.most() == 0, service.messages.size() + " messages, " + service.most() + " items");
        }
    }

    private static void messagesKeepTheirBounds() throws Exception {
        try (Service service = new Service((message, responses, call) -> responses.onNext(acks(message)))) {
            // 15 items of about 1,020 bytes.
            send(service, items(100, 1000), slow().maxItemsPerMessage(1000).maxBytesPerMessage(15_800));
            check(service.most() == 15, "the largest message has " + service.most() + " items");
            // Items that are larger are sent alone.
            service.messages.clear();
            send(service, items(5, 20_000), slow().maxBytesPerMessage(15_800));
            check(service.messages.size() == 5, service.messages.size() + " messages");
            // A quarter of the window, so that several messages are in flight.
            service.messages.clear();
            send(service, items(200, 10), slow().maxInFlight(40));
            check(service.most() == 10, "the largest message has " + service.most() + " items");
            service.messages.clear();
            send(service, items(200, 10), slow().maxItemsPerMessage(1));
            check(service.messages.size() == 200, service.messages.size() + " messages");
        }
    }

    private static void anItemWaitsNoLongerThanTheDelay() throws Exception {
        CountDownLatch second = new CountDownLatch(1);
        List<String> unanswered = new ArrayList<>();
        Script script = (message, responses, call) -> {
            of(message).forEach(item -> unanswered.add(item.getItemId()));
            if (unanswered.size() == 2) {
                second.countDown();
                unanswered.forEach(id -> responses.onNext(ack(id)));
            }
        };
        try (Service service = new Service(script)) {
            Iterator<StreamIngestRequest> two = items(2, 10);
            Iterator<StreamIngestRequest> source = new Iterator<>() {
                @Override
                public boolean hasNext() {
                    // No further item pushes the second one.
                    return two.hasNext() || !await(second);
                }

                @Override
                public StreamIngestRequest next() {
                    return two.next();
                }
            };
            check(send(service, source, new Exchange.Options()).equals(names(2)), "not all were answered");
        }
    }

    private static void resultsCanComeInSeveralMessages() throws Exception {
        Script script = (message, responses, call) -> {
            List<StreamIngestRequest> items = of(message);
            for (int start = 0; start < items.size(); start += 7) {
                StreamIngestResponse.Builder response = StreamIngestResponse.newBuilder();
                for (StreamIngestRequest item : items.subList(start, Math.min(start + 7, items.size()))) {
                    StreamIngestResponse error = StreamIngestResponse.newBuilder()
                            .setItemId(item.getItemId())
                            .setError(ItemError.newBuilder().setReason("IMAGE_EMPTY"))
                            .build();
                    response.addItems(item.getItemId().equals("150") ? error : ack(item.getItemId()));
                }
                responses.onNext(response.build());
            }
        };
        try (Service service = new Service(script)) {
            List<String> failed = new ArrayList<>();
            List<String> ids = new ArrayList<>();
            Exchange.ingest(service.channel, new Exchange.Options()).run(items(300, 10), (request, answer) -> {
                ids.add(request.getItemId());
                if (answer.hasError()) {
                    failed.add(answer.getItemId());
                }
            });
            check(ids.equals(names(300)) && failed.equals(List.of("150")), "failed: " + failed);
        }
    }

    private static void aConnectionThatBreaksWithinAMessageLosesNoItem() throws Exception {
        Script script = (message, responses, call) -> {
            if (call <= 3 && message.getItemsCount() > 5) {
                message.getItemsList().subList(0, 5).forEach(item -> responses.onNext(ack(item.getItemId())));
                responses.onError(Status.UNAVAILABLE.asException());
            } else {
                responses.onNext(acks(message));
            }
        };
        try (Service service = new Service(script)) {
            List<String> ids = send(service, items(300, 10), slow());
            check(ids.equals(names(300)), "answered: " + ids);
            check(service.calls == 4, service.calls + " calls");
        }
    }

    private static void moreResultsThanItemsAreAnError() throws Exception {
        Script script = (message, responses, call) -> responses.onNext(
                StreamIngestResponse.newBuilder().addItems(ack(message.getItemId())).addItems(ack(message.getItemId())).build());
        try (Service service = new Service(script)) {
            outOfOrder(service, items(1, 10));
        }
    }

    private static void aServerOfAnEarlierVersionNeedsMessagesOfOneItem() throws Exception {
        // It ignores the unknown items and sees an empty one.
        StreamIngestResponse error = StreamIngestResponse.newBuilder().setError(ItemError.newBuilder().setReason("FIELD_REQUIRED")).build();
        try (Service service = new Service((message, responses, call) -> responses.onNext(message.getItemId().isEmpty() ? error : ack(message.getItemId())))) {
            outOfOrder(service, items(100, 10));
            check(send(service, items(100, 10), new Exchange.Options().maxItemsPerMessage(1)).equals(names(100)), "not all were answered");
        }
    }

    private static void exceptionsAreRethrownUnchanged() throws Exception {
        IllegalStateException lost = new IllegalStateException("lost");
        try (Service service = new Service((message, responses, call) -> responses.onNext(acks(message)))) {
            Iterator<StreamIngestRequest> broken = IntStream.range(0, 100).mapToObj(at -> {
                if (at == 50) {
                    throw lost;
                }
                return item("" + at, 10);
            }).iterator();
            check(thrown(() -> send(service, broken, new Exchange.Options())) == lost, "another exception of the source");
            Test failing = () -> Exchange.ingest(service.channel, new Exchange.Options()).run(items(100, 10), (request, answer) -> {
                throw lost;
            });
            check(thrown(failing) == lost, "another exception of the handler");
        }
    }

    private static void aSilentServerTimesOut() throws Exception {
        try (Service service = new Service((message, responses, call) -> {})) {
            Exception error = thrown(() -> send(service, items(3, 10), new Exchange.Options().timeout(Duration.ofMillis(300))));
            check(error instanceof EmbeddingsException && ((EmbeddingsException) error).code() == Status.Code.DEADLINE_EXCEEDED, "got " + error);
        }
        try (Service service = new Service((message, responses, call) -> responses.onNext(acks(message)))) {
            Semaphore answered = new Semaphore(1);
            Iterator<StreamIngestRequest> source = names(2).stream().map(name -> {
                acquire(answered);
                if (name.equals("1")) {
                    pause(1000);
                }
                return item(name, 10);
            }).iterator();
            Exchange.ingest(service.channel, new Exchange.Options().timeout(Duration.ofMillis(500))).run(source, (request, answer) -> answered.release());
        }
    }

    private static void optionsHaveLimits() {
        List<Test> tests = List.of(
                () -> new Exchange.Options().maxItemsPerMessage(0),
                () -> new Exchange.Options().maxItemsPerMessage(1001),
                () -> new Exchange.Options().maxBytesPerMessage(0),
                () -> new Exchange.Options().batchDelay(Duration.ofSeconds(2)),
                () -> new Exchange.Options().maxInFlight(0));
        for (Test test : tests) {
            Exception error = thrown(test);
            check(error instanceof IllegalArgumentException && error.getMessage().contains("must be"), "got " + error);
        }
    }

    private static void vectorsAsBytes() {
        float[] vector = {0.1F, -2.5F, 1e-30F, 3.4e38F};
        ByteString data = Vectors.toBytes(vector);
        check(data.substring(0, 4).equals(ByteString.copyFrom(new byte[] {(byte) 0xcd, (byte) 0xcc, (byte) 0xcc, 0x3d})), "not little-endian");
        List<Float> values = List.of(0.1F, -2.5F, 1e-30F, 3.4e38F);
        for (float[] read : List.of(
                Vectors.of(Embedding.newBuilder().addAllValues(values).build()),
                Vectors.of(Embedding.newBuilder().setValuesF32(data).build()),
                Vectors.of(VectorPoint.newBuilder().addAllVector(values).build()),
                Vectors.of(VectorPoint.newBuilder().setVectorF32(data).build()))) {
            check(Arrays.equals(read, vector), "read " + Arrays.toString(read));
        }
        check(thrown(() -> Vectors.fromBytes(data.substring(1))) instanceof IllegalArgumentException, "15 bytes are no vector");
    }

    private static void outOfOrder(Service service, Iterator<StreamIngestRequest> source) {
        Exception error = thrown(() -> send(service, source, new Exchange.Options()));
        boolean right = error instanceof EmbeddingsException && ((EmbeddingsException) error).code() == Status.Code.INTERNAL;
        check(right && error.getMessage().contains("out of order"), "got " + error);
    }

    private static Exception thrown(Test test) {
        try {
            test.run();
        } catch (Exception e) {
            return e;
        }
        return null;
    }

    private static List<String> send(Service service, Iterator<StreamIngestRequest> source, Exchange.Options options) throws Exception {
        List<String> ids = new ArrayList<>();
        Exchange.ingest(service.channel, options).run(source, (request, answer) -> ids.add(answer.getItemId()));
        return ids;
    }

    private static Exchange.Options slow() {
        return new Exchange.Options().batchDelay(Duration.ofSeconds(1));
    }

    private static List<String> names(int count) {
        return IntStream.range(0, count).mapToObj(Integer::toString).collect(Collectors.toList());
    }

    private static Iterator<StreamIngestRequest> items(int count, int size) {
        return names(count).stream().map(name -> item(name, size)).iterator();
    }

    private static StreamIngestRequest item(String name, int size) {
        Image image = Image.newBuilder().setEncoded(ByteString.copyFrom(new byte[size])).build();
        return StreamIngestRequest.newBuilder().setItemId(name).setImage(ImageItem.newBuilder().setJobId(name).setImage(image)).build();
    }

    /** The items of a message of either form. */
    static List<StreamIngestRequest> of(StreamIngestRequest message) {
        return message.getItemsCount() > 0 ? message.getItemsList() : List.of(message);
    }

    private static StreamIngestResponse ack(String id) {
        return StreamIngestResponse.newBuilder().setItemId(id).setAck(IngestAck.newBuilder().setPointId(id)).build();
    }

    private static StreamIngestResponse acks(StreamIngestRequest message) {
        if (message.getItemsCount() == 0) {
            return ack(message.getItemId());
        }
        StreamIngestResponse.Builder response = StreamIngestResponse.newBuilder();
        message.getItemsList().forEach(item -> response.addItems(ack(item.getItemId())));
        return response.build();
    }

    private static void acquire(Semaphore semaphore) {
        try {
            check(semaphore.tryAcquire(30, TimeUnit.SECONDS), "no answer");
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static boolean await(CountDownLatch latch) {
        try {
            return latch.await(30, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void pause(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    /** A server, with a channel to it. */
    private static final class Service extends IngestServiceGrpc.IngestServiceImplBase implements AutoCloseable {
        private final List<StreamIngestRequest> messages = Collections.synchronizedList(new ArrayList<>());
        private final Script script;
        private final Server server;
        private final ManagedChannel channel;
        private volatile int calls;

        Service(Script script) throws Exception {
            this.script = script;
            server = ServerBuilder.forPort(0).addService(this).build().start();
            channel = Connections.open("127.0.0.1:" + server.getPort());
        }

        int most() {
            return messages.stream().mapToInt(StreamIngestRequest::getItemsCount).max().orElse(0);
        }

        @Override
        public StreamObserver<StreamIngestRequest> streamIngest(StreamObserver<StreamIngestResponse> responses) {
            int call = ++calls;
            ((ServerCallStreamObserver<StreamIngestResponse>) responses).setOnCancelHandler(() -> {});
            return new StreamObserver<>() {
                private boolean answered;
                private boolean broken;

                @Override
                public void onNext(StreamIngestRequest message) {
                    if (!broken) {
                        messages.add(message);
                        script.answer(message, new StreamObserver<>() {
                            @Override
                            public void onNext(StreamIngestResponse response) {
                                answered = true;
                                responses.onNext(response);
                            }

                            @Override
                            public void onError(Throwable error) {
                                broken = true;
                                responses.onError(error);
                            }

                            @Override
                            public void onCompleted() {
                                responses.onCompleted();
                            }
                        }, call);
                    }
                }

                @Override
                public void onError(Throwable error) {}

                @Override
                public void onCompleted() {
                    // A silent server does not end the stream either.
                    if (answered && !broken) {
                        responses.onCompleted();
                    }
                }
            };
        }

        @Override
        public void close() {
            channel.shutdownNow();
            server.shutdownNow();
        }
    }
}
