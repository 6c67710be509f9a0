package io.embeddings.client;

import io.embeddings.v1.ClusterFacesRequest;
import io.embeddings.v1.ClusterFacesResponse;
import io.embeddings.v1.ListPersonsRequest;
import io.embeddings.v1.ListPersonsResponse;
import io.embeddings.v1.PersonServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerBuilder;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** Tests of TLS options and API keys. The interop step {@code secure} tests them over TLS. */
public final class SecurityTest {
    private static final String KEY = "emb_secret";

    private SecurityTest() {}

    private interface Test {
        void run() throws Exception;
    }

    public static void main(String[] arguments) {
        boolean ok = passes("the key is sent with every kind of call", SecurityTest::theKeyIsSentWithEveryKindOfCall)
                & passes("a key without TLS is only for this machine", SecurityTest::aKeyWithoutTlsIsOnlyForThisMachine)
                & passes("files that cannot be used are refused", SecurityTest::filesThatCannotBeUsedAreRefused);
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

    private static void theKeyIsSentWithEveryKindOfCall() throws Exception {
        List<String> values = new CopyOnWriteArrayList<>();
        Server server = ServerBuilder.forPort(0).addService(new Persons()).intercept(new Noting(values)).build().start();
        try {
            for (String key : Arrays.asList(KEY, null)) {
                ManagedChannel channel = Connections.open("127.0.0.1:" + server.getPort(), new Security().apiKey(key));
                var persons = PersonServiceGrpc.newBlockingStub(channel);
                persons.listPersons(ListPersonsRequest.getDefaultInstance());
                persons.clusterFaces(ClusterFacesRequest.getDefaultInstance()).forEachRemaining(message -> {});
                channel.shutdownNow();
            }
        } finally {
            server.shutdownNow();
        }
        String value = "Bearer " + KEY;
        check(values.equals(List.of(value, value, "null", "null")), "authorization is " + values);
    }

    private static void aKeyWithoutTlsIsOnlyForThisMachine() {
        for (String address : List.of(
                "http://embeddings.example.com:50051", "10.0.0.1:50051", "127.0.0.1.example.com", "127.0.0.1@example.com:1", "[::2]:1", "localhost:1:2")) {
            String message = refused(address, new Security().apiKey(KEY));
            check(message.startsWith("apiKey requires") && !message.contains(KEY), address + ": " + message);
        }
        for (String address :
                List.of("https://embeddings.example.com:1", "localhost", "http://LOCALHOST:1", "127.0.0.1:1", "127.1.2.3:1", "http://[::1]:1")) {
            Connections.open(address, new Security().apiKey(KEY)).shutdownNow();
        }
        for (String host : List.of("", "localhost.example.com", "127.1", "127.0.0.256", "0.0.0.0", "[::]")) {
            check(!Security.isLoopback(host), host);
        }
        for (String key : List.of("", " ", "a b", "a\n", "k\u00e9y")) {
            check(refused("https://localhost:1", new Security().apiKey(key)).contains("printable ASCII"), key);
        }
    }

    private static void filesThatCannotBeUsedAreRefused() throws Exception {
        Path text = Files.createTempFile("embeddings-security-", ".pem");
        try {
            Files.writeString(text, "text");
            Path missing = Path.of(text + ".missing");
            String needed = "require an address that starts with https://";
            check(refused("localhost:1", new Security().caFile(text)).contains(needed), "caFile");
            check(refused("localhost:1", new Security().clientCertificateFile(text)).contains(needed), "clientCertificateFile");
            String tls = "https://localhost:1";
            check(refused(tls, new Security().caFile(missing)).contains("cannot be read"), "missing caFile");
            check(refused(tls, new Security().caFile(text)).contains("caFile must contain a certificate"), "caFile without certificate");
            check(refused(tls, new Security().clientKeyFile(text)).contains("requires clientCertificateFile"), "only clientKeyFile");
            check(refused(tls, new Security().clientCertificateFile(missing)).contains("cannot be read"), "missing certificate");
            refused(tls, new Security().clientCertificateFile(text).clientKeyFile(text));
        } finally {
            Files.delete(text);
        }
    }

    private static String refused(String address, Security security) {
        try {
            Connections.open(address, security).shutdownNow();
        } catch (IllegalArgumentException e) {
            return e.getMessage();
        }
        throw new AssertionError(address + " was not refused");
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    private static final class Noting implements ServerInterceptor {
        private final List<String> values;

        Noting(List<String> values) {
            this.values = values;
        }

        @Override
        public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
            values.add(String.valueOf(headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER))));
            return next.startCall(call, headers);
        }
    }

    private static final class Persons extends PersonServiceGrpc.PersonServiceImplBase {
        @Override
        public void listPersons(ListPersonsRequest request, StreamObserver<ListPersonsResponse> responses) {
            responses.onNext(ListPersonsResponse.getDefaultInstance());
            responses.onCompleted();
        }

        @Override
        public void clusterFaces(ClusterFacesRequest request, StreamObserver<ClusterFacesResponse> responses) {
            responses.onNext(ClusterFacesResponse.getDefaultInstance());
            responses.onCompleted();
        }
    }
}
