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
 * Sends requests and hands each with its answer to a handler, in order; all on the caller's thread.
 *
 * <p>The source is read only while the call {@code isReady} and at most {@code maxInFlight} requests are without an answer; answers are asked for one by one. So
 * a slow server slows the source, a slow handler slows the server, and memory stays bounded. Where the connection breaks, what has no answer is sent again on a
 * new one; point ids make that safe.
 */
public final class Exchange<Q, A> {
    private final Function<StreamObserver<A>, StreamObserver<Q>> open;
    private final Function<Q, String> requestId;
    private final Function<A, String> answerId;
    private final Options options;

    // Requests without an answer, in order.
    private final Deque<Q> unanswered = new ArrayDeque<>();
    private boolean exhausted;
    private boolean answered;

    // The connection that was told that nothing more comes.
    private StreamObserver<?> closed;

    /** Any stream of the contract: the stub's method, and how its messages tell their item's name. */
    public Exchange(
            Function<StreamObserver<A>, StreamObserver<Q>> open, Function<Q, String> requestId, Function<A, String> answerId, Options options) {
        this.open = open;
        this.requestId = requestId;
        this.answerId = answerId;
        this.options = options;
    }

    /** Embeds and stores; an ack means durable. */
    public static Exchange<StreamIngestRequest, StreamIngestResponse> ingest(Channel channel, Options options) {
        IngestServiceGrpc.IngestServiceStub stub = IngestServiceGrpc.newStub(channel);
        return new Exchange<>(stub::streamIngest, StreamIngestRequest::getItemId, StreamIngestResponse::getItemId, options);
    }

    /** Embeds. */
    public static Exchange<StreamEmbedRequest, StreamEmbedResponse> embed(Channel channel, Options options) {
        EmbeddingServiceGrpc.EmbeddingServiceStub stub = EmbeddingServiceGrpc.newStub(channel);
        return new Exchange<>(stub::streamEmbed, StreamEmbedRequest::getItemId, StreamEmbedResponse::getItemId, options);
    }

    /**
     * Returns when all is answered; once for each exchange.
     *
     * @throws EmbeddingsException where the stream fails as a whole; what the source and the handler throw comes out unchanged
     */
    public void run(Iterator<Q> source, BiConsumer<Q, A> handler) throws InterruptedException {
        for (int attempt = 1; ; attempt++) {
            answered = false;
            EmbeddingsException failure = runOnce(source, handler);
            if (failure == null) {
                return;
            }
            attempt = answered ? 1 : attempt;
            if (!failure.retryable() || attempt >= options.attempts) {
                throw failure;
            }
            Thread.sleep(Math.max(failure.retryAfter().toMillis(), Math.min(100L << attempt, 5000)));
        }
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
                    String message = "no answer within " + options.timeout.toMillis() + " ms";
                    return new EmbeddingsException(Status.Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "", message, Duration.ZERO);
                }
                if (event.answer != null) {
                    take(event.answer, handler);
                    call.requests.request(1);
                } else if (event.error != null) {
                    finished = true;
                    return EmbeddingsException.fromCall(event.error);
                } else if (event.completed) {
                    finished = true;
                    return exhausted && unanswered.isEmpty() ? null : internal("", "the stream ended with " + unanswered.size() + " items unanswered");
                }
            }
        } finally {
            if (!finished) {
                call.requests.cancel("given up by the caller", null);
            }
        }
    }

    // As much as flow control lets through; then the call tells when it is ready again.
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
            throw internal("item_id", "the answer for item '" + answerId.apply(answer) + "' is out of turn");
        }
        unanswered.remove();
        answered = true;
        handler.accept(request, answer);
    }

    private static EmbeddingsException internal(String field, String message) {
        return new EmbeddingsException(Status.Code.INTERNAL, "INTERNAL", field, message, Duration.ZERO);
    }

    /** How a stream behaves. */
    public static final class Options {
        private Duration timeout = Duration.ofSeconds(30);
        private int maxInFlight = 512;
        private int attempts = 5;

        /** How long to wait for an answer that is due; default 30 s. */
        public Options timeout(Duration value) {
            timeout = value;
            return this;
        }

        /** Requests without an answer at most; default 512. */
        public Options maxInFlight(int value) {
            maxInFlight = value;
            return this;
        }

        /** Connections in a row that may break before any answer comes; default 5. */
        public Options attempts(int value) {
            attempts = value;
            return this;
        }
    }

    // What happens on one connection, told to the caller's thread.
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

    // One of an answer, an error, the end; or none: the call is ready for more.
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
