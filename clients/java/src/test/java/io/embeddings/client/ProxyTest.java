package io.embeddings.client;

import io.embeddings.v1.ImageItem;
import io.embeddings.v1.IngestAck;
import io.embeddings.v1.IngestServiceGrpc;
import io.embeddings.v1.StreamIngestRequest;
import io.embeddings.v1.StreamIngestResponse;
import io.grpc.ManagedChannel;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntUnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Tests of streams through HAProxy, which ends a stream that is idle for two seconds, without trailers. */
public final class ProxyTest {
    private static final String CONFIGURATION = String.join(
            "\n",
            "defaults",
            "  mode http",
            "  timeout connect 5s",
            "  timeout client 2s",
            "  timeout server 2s",
            "listen embeddings",
            "  bind 127.0.0.1:%d proto h2",
            "  server embeddings 127.0.0.1:%d proto h2",
            "");

    private ProxyTest() {}

    private interface Test {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        boolean ok = passes(
                        "a source that pauses longer than the proxy waits loses no item",
                        ProxyTest::aSourceThatPausesLongerThanTheProxyWaitsLosesNoItem)
                & passes(
                        "items without an answer when the proxy ends the stream are sent again",
                        ProxyTest::itemsWithoutAnAnswerWhenTheProxyEndsTheStreamAreSentAgain);
        System.exit(ok ? 0 : 1);
    }

    private static boolean passes(String name, Test test) {
        try {
            test.run();
            System.out.println("ok " + name);
            return true;
        } catch (Exception | AssertionError e) {
            System.out.println("FAILED " + name + ": " + e);
            return false;
        }
    }

    private static void aSourceThatPausesLongerThanTheProxyWaitsLosesNoItem() throws Exception {
        Service service = new Service(call -> Integer.MAX_VALUE);
        send(service, 20, item -> {
            if (item == 5 || item == 15) {
                pause(3500);
            }
        });
        check(service.calls() > 1, "the proxy did not end the stream");
    }

    private static void itemsWithoutAnAnswerWhenTheProxyEndsTheStreamAreSentAgain() throws Exception {
        Service service = new Service(call -> call <= 2 ? 7 : Integer.MAX_VALUE);
        send(service, 20, item -> {});
        check(service.calls() == 3, service.calls() + " calls");
    }

    /** Sends items through the proxy and checks that each is answered once, in order. */
    private static void send(Service service, int count, IntConsumer before) throws Exception {
        Server server = ServerBuilder.forPort(0).addService(service).build().start();
        List<String> answered = new ArrayList<>();
        try (Proxy proxy = new Proxy(server.getPort())) {
            ManagedChannel channel = Connections.open("127.0.0.1:" + proxy.port);
            try {
                var items = IntStream.range(0, count).mapToObj(item -> {
                    before.accept(item);
                    String id = Integer.toString(item);
                    return StreamIngestRequest.newBuilder().setItemId(id).setImage(ImageItem.newBuilder().setJobId(id)).build();
                });
                Exchange.ingest(channel, new Exchange.Options())
                        .run(items.iterator(), (request, answer) -> answered.add(answer.getAck().getPointId()));
            } finally {
                channel.shutdownNow();
            }
        } finally {
            server.shutdownNow();
        }
        List<String> expected = IntStream.range(0, count).mapToObj(Integer::toString).collect(Collectors.toList());
        check(answered.equals(expected), "answered: " + answered);
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static void pause(long milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Answers the first items of each call. A call with further items does not end by itself. */
    private static final class Service extends IngestServiceGrpc.IngestServiceImplBase {
        private final IntUnaryOperator limit;
        private int calls;

        Service(IntUnaryOperator limit) {
            this.limit = limit;
        }

        synchronized int calls() {
            return calls;
        }

        @Override
        public synchronized StreamObserver<StreamIngestRequest> streamIngest(StreamObserver<StreamIngestResponse> responses) {
            int most = limit.applyAsInt(++calls);
            // Without a handler, an answer to a call that the proxy has ended would throw.
            ((ServerCallStreamObserver<StreamIngestResponse>) responses).setOnCancelHandler(() -> {});
            return new StreamObserver<>() {
                private int read;

                @Override
                public void onNext(StreamIngestRequest message) {
                    for (StreamIngestRequest request : ExchangeTest.of(message)) {
                        if (++read <= most) {
                            IngestAck ack = IngestAck.newBuilder().setPointId(request.getImage().getJobId()).build();
                            responses.onNext(StreamIngestResponse.newBuilder().setItemId(request.getItemId()).setAck(ack).build());
                        }
                    }
                }

                @Override
                public void onError(Throwable error) {}

                @Override
                public void onCompleted() {
                    if (read <= most) {
                        responses.onCompleted();
                    }
                }
            };
        }
    }

    private static final class Proxy implements AutoCloseable {
        private final Path folder = Files.createTempDirectory("embeddings-proxy-");
        private final int port = freePort();

        Proxy(int server) throws IOException, InterruptedException {
            Path configuration = Files.writeString(folder.resolve("haproxy.cfg"), String.format(CONFIGURATION, port, server));
            // As a daemon, it returns when it listens.
            Process start = new ProcessBuilder("haproxy", "-D", "-q", "-p", pid().toString(), "-f", configuration.toString())
                    .inheritIO()
                    .start();
            check(start.waitFor() == 0, "haproxy did not start");
        }

        @Override
        public void close() throws IOException {
            ProcessHandle.of(Long.parseLong(Files.readString(pid()).trim())).ifPresent(ProcessHandle::destroyForcibly);
            Files.delete(pid());
            Files.delete(folder.resolve("haproxy.cfg"));
            Files.delete(folder);
        }

        private Path pid() {
            return folder.resolve("pid");
        }

        private static int freePort() throws IOException {
            try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                return socket.getLocalPort();
            }
        }
    }
}
