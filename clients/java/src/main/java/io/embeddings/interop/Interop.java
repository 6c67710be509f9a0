package io.embeddings.interop;

import io.embeddings.client.Connections;
import io.grpc.ManagedChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Runs the interop scenario described in clients/README.md.
 *
 * <p>Usage: Interop HOST:PORT JPEG VECTORS.json, or Interop secure HOST:PORT FOLDER
 */
public final class Interop {
    private Interop() {}

    private interface Step {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("secure")) {
            System.exit(new SecureScenario(arguments[1], Path.of(arguments[2])).run() ? 0 : 1);
        }
        ManagedChannel channel = Connections.open(arguments[0]);
        Path jpeg = Path.of(arguments[1]);
        Scenario scenario = new Scenario(channel, Files.readAllBytes(jpeg));
        FaceScenario photos = new FaceScenario(channel, jpeg.toAbsolutePath().getParent());
        List<Map.Entry<String, Step>> steps = List.of(
                Map.entry("health", scenario::health),
                Map.entry("models", scenario::models),
                Map.entry("embed", scenario::embed),
                Map.entry("stream", scenario::stream),
                Map.entry("ingest", scenario::ingest),
                Map.entry("batches", scenario::batches),
                Map.entry("search", scenario::search),
                Map.entry("media", scenario::media),
                Map.entry("delete", scenario::delete),
                Map.entry("count", scenario::count),
                Map.entry("faces", photos::faces),
                Map.entry("photo", photos::photo),
                Map.entry("persons", photos::persons),
                Map.entry("errors", scenario::errors));
        int code = 0;
        for (Map.Entry<String, Step> step : steps) {
            try {
                step.getValue().run();
                System.out.println("ok " + step.getKey());
            } catch (Exception e) {
                System.out.println(("FAILED " + step.getKey() + " " + e).replace('\n', ' '));
                code = 1;
            }
        }
        String json = scenario.vectors().entrySet().stream()
                .map(entry -> '"' + entry.getKey() + "\": " + entry.getValue())
                .collect(Collectors.joining(", ", "{", "}"));
        Files.writeString(Path.of(arguments[2]), json);
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        System.exit(code);
    }
}
