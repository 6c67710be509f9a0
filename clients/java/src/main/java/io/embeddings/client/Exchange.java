package io.embeddings.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.embeddings.v1.EmbeddingServiceGrpc;
import io.embeddings.v1.IngestServiceGrpc;
import io.embeddings.v1.StreamEmbedRequest;
import io.embeddings.v1.StreamEmbedResponse;
import io.embeddings.v1.StreamIngestRequest;
import io.embeddings.v1.StreamIngestResponse;
import io.embeddings.v1.StreamUpsertVectorsRequest;
import io.embeddings.v1.StreamUpsertVectorsResponse;
import io.embeddings.v1.VectorStoreServiceGrpc;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * Sends requests and passes each request and its response to a handler, in order and on the caller's thread.
 *
 * <p>The source is read on another thread, at most one message ahead of what flow control allows to send, while fewer than
 * {@code maxInFlight} requests are in flight; responses are requested one message at a time. A slow server therefore slows down
 * the source, a slow handler slows down the server, and memory use stays bounded. Requests are sent in messages of several; the
 * source and the handler have single ones. If the connection breaks, unanswered requests are resent on a new one, which is
 * safe because points are replaced by id. Every end that the server did not state itself is a broken connection.
 */
public final class Exchange<Q extends Message, A extends Message> {
    private final Function<StreamObserver<A>, StreamObserver<Q>> open;
    private final Function<Q, String> requestId;
    private final Function<A, String> answerId;
    private final Options options;

    private boolean answered;
    private long messagesSent;

    // The connection that has been half-closed.
    private StreamObserver<?> closed;

    /**
     * Creates an exchange for any stream of the contract.
     *
     * @param open streaming method of the generated stub
     * @param requestId returns the item id of a request
     * @param answerId returns the item id of a response
     * @param options options of the stream
     */
    public Exchange(
            Function<StreamObserver<A>, StreamObserver<Q>> open, Function<Q, String> requestId, Function<A, String> answerId, Options options) {
        this.open = open;
        this.requestId = requestId;
        this.answerId = answerId;
        this.options = options;
    }

    /** Creates an exchange that embeds and stores items. An ack means that the point is durable. */
    public static Exchange<StreamIngestRequest, StreamIngestResponse> ingest(Channel channel, Options options) {
        IngestServiceGrpc.IngestServiceStub stub = IngestServiceGrpc.newStub(channel);
        return new Exchange<>(stub::streamIngest, StreamIngestRequest::getItemId, StreamIngestResponse::getItemId, options);
    }

    /** Creates an exchange that embeds items. */
    public static Exchange<StreamEmbedRequest, StreamEmbedResponse> embed(Channel channel, Options options) {
        EmbeddingServiceGrpc.EmbeddingServiceStub stub = EmbeddingServiceGrpc.newStub(channel);
        return new Exchange<>(stub::streamEmbed, StreamEmbedRequest::getItemId, StreamEmbedResponse::getItemId, options);
    }

    /** Creates an exchange that stores vectors. An ack means that the point is durable. */
    public static Exchange<StreamUpsertVectorsRequest, StreamUpsertVectorsResponse> upsert(Channel channel, Options options) {
        VectorStoreServiceGrpc.VectorStoreServiceStub stub = VectorStoreServiceGrpc.newStub(channel);
        return new Exchange<>(
                stub::streamUpsertVectors, StreamUpsertVectorsRequest::getItemId, StreamUpsertVectorsResponse::getItemId, options);
    }

    /** Returns the number of messages sent, of one item or several, on all connections. */
    public long messagesSent() {
        return messagesSent;
    }

    /**
     * Sends all requests and returns when all of them are answered. Can be called only once. Exceptions of the source and
     * of the handler are rethrown unchanged. The source is read on another thread, which has ended, and was interrupted if it was
     * still reading, when this returns.
     *
     * @throws EmbeddingsException if the whole stream fails
     */
    public void run(Iterator<Q> source, BiConsumer<Q, A> handler) throws InterruptedException {
        try (Pump<Q> pump = new Pump<>(source, Message::getSerializedSize, requestId, options)) {
            int attempt = 1;
            // A call is opened only when there is something to send: a slow source does not cost attempts.
            while (pump.hasWork()) {
                answered = false;
                EmbeddingsException failure = runOnce(pump, handler);
                if (failure == null) {
                    return;
                }
                if (!failure.retryable()) {
                    throw failure;
                }
                attempt = answered ? 1 : attempt;
                if (pump.unanswered() > 0) {
                    if (attempt >= options.attempts) {
                        throw failure;
                    }
                    Thread.sleep(Math.max(failure.retryAfter().toMillis(), Math.min(100L << attempt, 5000)));
                    attempt++;
                }
            }
            pump.rethrow();
        }
    }

    private EmbeddingsException runOnce(Pump<Q> pump, BiConsumer<Q, A> handler) throws InterruptedException {
        Call call = new Call();
        pump.connect(() -> call.events.add(new Event<>(null, null, false)));
        open.apply(call);
        boolean finished = false;
        try {
            long since = System.nanoTime();
            while (true) {
                send(call.requests, pump);
                boolean owed = pump.unanswered() > 0;
                long left = options.timeout.toNanos() - (System.nanoTime() - since);
                // If the call is not ready, the message waits for it.
                long due = call.requests.isReady() ? pump.due() : Long.MAX_VALUE;
                Event<A> event = call.events.poll(Math.min(left, due), TimeUnit.NANOSECONDS);
                if (!owed) {
                    // Time in which there is nothing to answer does not count.
                    since = System.nanoTime();
                }
                if (event == null) {
                    if (System.nanoTime() - since >= options.timeout.toNanos()) {
                        String message = "The server sent no response within " + options.timeout.toMillis() + " ms.";
                        return new EmbeddingsException(Status.Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", message, Duration.ZERO);
                    }
                } else if (event.answer != null) {
                    take(event.answer, pump, handler);
                    call.requests.request(1);
                    // Only now: time in which the handler is slow does not count.
                    since = System.nanoTime();
                } else if (event.error != null) {
                    finished = true;
                    return EmbeddingsException.fromStream(event.error);
                } else if (event.completed) {
                    finished = true;
                    if (pump.isDone() && pump.unanswered() == 0) {
                        pump.rethrow();
                        return null;
                    }
                    return internal("", "The server ended the stream with " + pump.unanswered() + " items unanswered.");
                }
            }
        } finally {
            if (!finished) {
                call.requests.cancel("cancelled by the caller", null);
            }
        }
    }

    // Sends as much as flow control allows. The call and the source signal when there may be more.
    private void send(ClientCallStreamObserver<Q> requests, Pump<Q> pump) {
        while (requests.isReady()) {
            List<Q> message = pump.message();
            if (message.isEmpty()) {
                break;
            }
            requests.onNext(pack(message));
            messagesSent++;
        }
        if (pump.isSent()) {
            halfClose(requests);
        }
    }

    private void halfClose(ClientCallStreamObserver<Q> requests) {
        if (closed != requests) {
            closed = requests;
            requests.onCompleted();
        }
    }

    private void take(A answer, Pump<Q> pump, BiConsumer<Q, A> handler) {
        FieldDescriptor items = answer.getDescriptorForType().findFieldByName("items");
        int count = items == null ? 0 : answer.getRepeatedFieldCount(items);
        if (count == 0) {
            takeOne(answer, pump, handler);
        }
        for (int at = 0; at < count; at++) {
            @SuppressWarnings("unchecked")
            A result = (A) answer.getRepeatedField(items, at);
            takeOne(result, pump, handler);
        }
    }

    private void takeOne(A result, Pump<Q> pump, BiConsumer<Q, A> handler) {
        Q request = pump.take(answerId.apply(result));
        if (request == null) {
            throw internal("item_id", "The response for item '" + answerId.apply(result) + "' is out of order.");
        }
        answered = true;
        handler.accept(request, result);
    }

    // The message of several requests. A single one is its own message, which servers of an earlier version understand.
    @SuppressWarnings("unchecked")
    private static <Q extends Message> Q pack(List<Q> requests) {
        if (requests.size() == 1) {
            return requests.get(0);
        }
        FieldDescriptor items = requests.get(0).getDescriptorForType().findFieldByName("items");
        Message.Builder message = requests.get(0).newBuilderForType();
        for (Q request : requests) {
            message.addRepeatedField(items, request);
        }
        return (Q) message.build();
    }

    private static EmbeddingsException internal(String field, String message) {
        return new EmbeddingsException(Status.Code.INTERNAL, "INTERNAL", field, message, Duration.ZERO);
    }

    /** Options of a stream. */
    public static final class Options {
        Duration timeout = Duration.ofSeconds(30);
        int maxInFlight = 512;
        int attempts = 5;
        int maxItemsPerMessage = 64;
        int maxBytesPerMessage = 524_288;
        Duration batchDelay = Duration.ofMillis(2);

        /** Maximum time to wait for the next response while requests are unanswered. Default: 30 s. */
        public Options timeout(Duration value) {
            timeout = value;
            return this;
        }

        /** Maximum number of unanswered requests, which are kept in memory. At least 1. Default: 512. */
        public Options maxInFlight(int value) {
            check("maxInFlight", value >= 1, "at least 1", value);
            maxInFlight = value;
            return this;
        }

        /** Maximum number of consecutive connections that break without a response. Default: 5. */
        public Options attempts(int value) {
            attempts = value;
            return this;
        }

        /**
         * Maximum number of items in one message, 1 to 1,000. At most a quarter of {@code maxInFlight} is used. 1 turns messages
         * with several items off: required by servers of an earlier version, with which a stream otherwise fails with INTERNAL
         * ("out of order"). Default: 64.
         */
        public Options maxItemsPerMessage(int value) {
            check("maxItemsPerMessage", value >= 1 && value <= 1000, "between 1 and 1000", value);
            maxItemsPerMessage = value;
            return this;
        }

        /** Maximum size of the items in one message, in bytes, 1 to 67,108,864. A larger item is sent alone. Default: 524,288. */
        public Options maxBytesPerMessage(int value) {
            check("maxBytesPerMessage", value >= 1 && value <= 64 << 20, "between 1 and 67108864", value);
            maxBytesPerMessage = value;
            return this;
        }

        /**
         * Maximum time that an item waits for others, 0 to 1 s. An item waits only while earlier items are unanswered. Default:
         * 2 ms.
         */
        public Options batchDelay(Duration value) {
            boolean valid = !value.isNegative() && value.compareTo(Duration.ofSeconds(1)) <= 0;
            check("batchDelay", valid, "between 0 and 1000 ms", value.toMillis() + " ms");
            batchDelay = value;
            return this;
        }

        private static void check(String name, boolean holds, String limit, Object value) {
            if (!holds) {
                throw new IllegalArgumentException(name + " must be " + limit + "; got " + value + ".");
            }
        }
    }

    // Passes the events of one connection to the caller's thread.
    private final class Call implements ClientResponseObserver<Q, A> {
        private final BlockingQueue<Event<A>> events = new LinkedBlockingQueue<>();
        private ClientCallStreamObserver<Q> requests;

        @Override
        public void beforeStart(ClientCallStreamObserver<Q> stream) {
            requests = stream;
            stream.disableAutoRequestWithInitial(1);
            stream.setOnReadyHandler(() -> events.add(new Event<>(null, null, false)));
        }

        @Override
        public void onNext(A answer) {
            events.add(new Event<>(answer, null, false));
        }

        @Override
        public void onError(Throwable error) {
            events.add(new Event<>(null, error, false));
        }

        @Override
        public void onCompleted() {
            events.add(new Event<>(null, null, true));
        }
    }

    // A response, an error, or the end of the call. If none is set, the call is ready for more requests.
    private static final class Event<A> {
        private final A answer;
        private final Throwable error;
        private final boolean completed;

        Event(A answer, Throwable error, boolean completed) {
            this.answer = answer;
            this.error = error;
            this.completed = completed;
        }
    }
}
