package io.embeddings.client;

import io.embeddings.v1.EmbeddingServiceGrpc;
import io.embeddings.v1.IngestServiceGrpc;
import io.embeddings.v1.StreamEmbedRequest;
import io.embeddings.v1.StreamEmbedResponse;
import io.embeddings.v1.StreamIngestRequest;
import io.embeddings.v1.StreamIngestResponse;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Function;

/**
 * Sends requests and passes each request and its response to a handler, in order and on the caller's thread.
 *
 * <p>The source is read only while the call {@code isReady} and fewer than {@code maxInFlight} requests are in flight;
 * responses are requested one at a time. A slow server therefore slows down the source, a slow handler slows down the
 * server, and memory use stays bounded. If the connection breaks, unanswered requests are resent on a new one, which is
 * safe because points are replaced by id. Every end that the server did not state itself is a broken connection.
 */
public final class Exchange<Q, A> {
    private final Function<StreamObserver<A>, StreamObserver<Q>> open;
    private final Function<Q, String> requestId;
    private final Function<A, String> answerId;
    private final Options options;

    // Unanswered requests, in order.
    private final Deque<Q> unanswered = new ArrayDeque<>();
    private boolean exhausted;
    private boolean answered;

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

    /**
     * Sends all requests and returns when all of them are answered. Can be called only once. Exceptions of the source and
     * of the handler are rethrown unchanged.
     *
     * @throws EmbeddingsException if the whole stream fails
     */
    public void run(Iterator<Q> source, BiConsumer<Q, A> handler) throws InterruptedException {
        int attempt = 1;
        // A call is opened only when there is something to send: a slow source does not cost attempts.
        while (hasWork(source)) {
            answered = false;
            EmbeddingsException failure = runOnce(source, handler);
            if (failure == null) {
                return;
            }
            if (!failure.retryable()) {
                throw failure;
            }
            attempt = answered ? 1 : attempt;
            if (!unanswered.isEmpty()) {
                if (attempt >= options.attempts) {
                    throw failure;
                }
                Thread.sleep(Math.max(failure.retryAfter().toMillis(), Math.min(100L << attempt, 5000)));
                attempt++;
            }
        }
    }

    // Waits for a request to send and returns whether there is one. Used between calls.
    private boolean hasWork(Iterator<Q> source) {
        if (unanswered.isEmpty() && !exhausted) {
            if (source.hasNext()) {
                unanswered.add(source.next());
            } else {
                exhausted = true;
            }
        }
        return !unanswered.isEmpty();
    }

    private EmbeddingsException runOnce(Iterator<Q> source, BiConsumer<Q, A> handler) throws InterruptedException {
        Call call = new Call();
        open.apply(call);
        boolean finished = false;
        try {
            Deque<Q> again = new ArrayDeque<>(unanswered);
            while (true) {
                send(call.requests, again, source);
                Event<A> event = call.events.poll(options.timeout.toMillis(), TimeUnit.MILLISECONDS);
                if (event == null) {
                    String message = "The server sent no response within " + options.timeout.toMillis() + " ms.";
                    return new EmbeddingsException(Status.Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", message, Duration.ZERO);
                }
                if (event.answer != null) {
                    take(event.answer, handler);
                    call.requests.request(1);
                } else if (event.error != null) {
                    finished = true;
                    return EmbeddingsException.fromStream(event.error);
                } else if (event.completed) {
                    finished = true;
                    if (exhausted && unanswered.isEmpty()) {
                        return null;
                    }
                    return internal("", "The server ended the stream with " + unanswered.size() + " items unanswered.");
                }
            }
        } finally {
            if (!finished) {
                call.requests.cancel("cancelled by the caller", null);
            }
        }
    }

    // Sends as much as flow control allows. The call signals when it is ready again.
    private void send(ClientCallStreamObserver<Q> requests, Deque<Q> again, Iterator<Q> source) {
        while (requests.isReady() && !again.isEmpty()) {
            requests.onNext(again.remove());
        }
        while (!exhausted && again.isEmpty() && requests.isReady() && unanswered.size() < options.maxInFlight) {
            if (source.hasNext()) {
                Q request = source.next();
                unanswered.add(request);
                requests.onNext(request);
            } else {
                exhausted = true;
            }
        }
        if (exhausted && again.isEmpty()) {
            halfClose(requests);
        }
    }

    private void halfClose(ClientCallStreamObserver<Q> requests) {
        if (closed != requests) {
            closed = requests;
            requests.onCompleted();
        }
    }

    private void take(A answer, BiConsumer<Q, A> handler) {
        Q request = unanswered.peek();
        if (request == null || !requestId.apply(request).equals(answerId.apply(answer))) {
            throw internal("item_id", "The response for item '" + answerId.apply(answer) + "' is out of order.");
        }
        unanswered.remove();
        answered = true;
        handler.accept(request, answer);
    }

    private static EmbeddingsException internal(String field, String message) {
        return new EmbeddingsException(Status.Code.INTERNAL, "INTERNAL", field, message, Duration.ZERO);
    }

    /** Options of a stream. */
    public static final class Options {
        private Duration timeout = Duration.ofSeconds(30);
        private int maxInFlight = 512;
        private int attempts = 5;

        /** Maximum time to wait for the next response while requests are unanswered. Default: 30 s. */
        public Options timeout(Duration value) {
            timeout = value;
            return this;
        }

        /** Maximum number of requests in flight. Default: 512. */
        public Options maxInFlight(int value) {
            maxInFlight = value;
            return this;
        }

        /** Maximum number of consecutive connections that break without a response. Default: 5. */
        public Options attempts(int value) {
            attempts = value;
            return this;
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
