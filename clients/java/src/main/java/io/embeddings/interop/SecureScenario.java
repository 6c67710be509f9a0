package io.embeddings.interop;

import static io.embeddings.interop.Scenario.expect;
import static io.embeddings.interop.Scenario.within;

import io.embeddings.client.Connections;
import io.embeddings.client.EmbeddingsException;
import io.embeddings.client.Exchange;
import io.embeddings.client.Security;
import io.embeddings.v1.FaceItem;
import io.embeddings.v1.ListModelsRequest;
import io.embeddings.v1.ModelServiceGrpc;
import io.embeddings.v1.StreamIngestRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** The step {@code secure} described in clients/README.md. */
final class SecureScenario {
    private static final int ITEMS = 20;
    private static final String COLLECTION = "interop_java_secure";

    private final String address;
    private final Path folder;

    SecureScenario(String address, Path folder) {
        this.address = address;
        this.folder = folder;
    }

    private interface Use {
        void with(ManagedChannel channel) throws Exception;
    }

    private interface Step {
        void run() throws Exception;
    }

    boolean run() {
        Map<String, Step> steps = new LinkedHashMap<>();
        steps.put("key", this::key);
        steps.put("no key", this::noKey);
        steps.put("wrong key", this::wrongKey);
        steps.put("read key", this::readKey);
        steps.put("certificate", this::certificate);
        steps.put("no CA", this::noCa);
        steps.put("clear text", this::clearText);
        for (Map.Entry<String, Step> step : steps.entrySet()) {
            try {
                step.getValue().run();
            } catch (Exception e) {
                System.out.println(("FAILED secure " + step.getKey() + ": " + e).replace('\n', ' '));
                return false;
            }
        }
        System.out.println("ok secure");
        return true;
    }

    private void key() throws Exception {
        connected(trusting().apiKey(read("key.txt")), channel -> {
            listModels(channel);
            expectOutcomes(Set.of("ack"), ingest(channel, COLLECTION));
            // Collections are checked for each item.
            expectOutcomes(Set.of("PERMISSION_DENIED COLLECTION_DENIED"), ingest(channel, "other_java"));
        });
    }

    private void noKey() throws Exception {
        fails(trusting(), SecureScenario::listModels, Status.Code.UNAUTHENTICATED, "KEY_MISSING");
        fails(trusting(), channel -> ingest(channel, COLLECTION), Status.Code.UNAUTHENTICATED, "KEY_MISSING");
    }

    private void wrongKey() throws Exception {
        fails(trusting().apiKey(read("wrong-key.txt")), SecureScenario::listModels, Status.Code.UNAUTHENTICATED, "KEY_INVALID");
    }

    private void readKey() throws Exception {
        Security security = trusting().apiKey(read("read-key.txt"));
        connected(security, SecureScenario::listModels);
        fails(security, channel -> ingest(channel, COLLECTION), Status.Code.PERMISSION_DENIED, "ACCESS_DENIED");
    }

    private void certificate() throws Exception {
        Security security = trusting().clientCertificateFile(folder.resolve("client.pem")).clientKeyFile(folder.resolve("client.key"));
        connected(security, channel -> {
            listModels(channel);
            expectOutcomes(Set.of("ack"), ingest(channel, COLLECTION));
        });
    }

    private void noCa() throws Exception {
        EmbeddingsException error = fails(new Security().apiKey(read("key.txt")), SecureScenario::listModels, Status.Code.UNAVAILABLE, "");
        expect(error.getMessage().contains("certification path"), "the message is '" + error.getMessage() + "'");
    }

    private void clearText() {
        String message = "no error";
        try {
            Connections.open("http://embeddings.example.com:50051", new Security().apiKey("secret-key")).shutdownNow();
        } catch (IllegalArgumentException e) {
            message = e.getMessage();
        }
        expect(message.startsWith("apiKey requires") && !message.contains("secret-key"), "the message is '" + message + "'");
    }

    private Security trusting() {
        return new Security().caFile(folder.resolve("ca.pem"));
    }

    private String read(String name) throws IOException {
        return Files.readString(folder.resolve(name)).trim();
    }

    private void connected(Security security, Use use) throws Exception {
        ManagedChannel channel = Connections.open("https://" + address, security);
        try {
            use.with(channel);
        } catch (StatusRuntimeException e) {
            throw EmbeddingsException.fromCall(e);
        } finally {
            channel.shutdownNow();
        }
    }

    private EmbeddingsException fails(Security security, Use use, Status.Code code, String reason) throws Exception {
        try {
            connected(security, use);
        } catch (EmbeddingsException e) {
            expect(e.code() == code && e.reason().equals(reason), "got " + e.code() + " " + e.getMessage() + " instead of " + code + " " + reason);
            return e;
        }
        throw new IllegalStateException("no error instead of " + code + " " + reason);
    }

    private static void listModels(ManagedChannel channel) {
        int count = within(ModelServiceGrpc.newBlockingStub(channel)).listModels(ListModelsRequest.getDefaultInstance()).getModelsCount();
        expect(count > 0, "no models");
    }

    private static void expectOutcomes(Set<String> expected, Set<String> actual) {
        expect(actual.equals(expected), "outcomes are " + actual);
    }

    /** Ingests 20 crops and returns their outcomes. */
    private static Set<String> ingest(ManagedChannel channel, String collection) throws InterruptedException {
        Set<String> outcomes = new TreeSet<>();
        int[] answered = new int[1];
        var requests = IntStream.range(0, ITEMS).mapToObj(number -> {
            var face = FaceItem.newBuilder().setJobId("secure-java").setFaceIndex(number).setFace(Scenario.face(Scenario.pixels(Scenario.crop(number), 0)));
            return StreamIngestRequest.newBuilder().setItemId("" + number).setCollection(collection).setFace(face).build();
        });
        Exchange.ingest(channel, new Exchange.Options()).run(requests.iterator(), (request, answer) -> {
            answered[0]++;
            EmbeddingsException error = EmbeddingsException.fromItem(answer.getError());
            outcomes.add(answer.hasAck() ? "ack" : error.code() + " " + error.reason());
        });
        expect(answered[0] == ITEMS, answered[0] + " answers");
        return outcomes;
    }
}
