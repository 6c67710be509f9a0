package io.embeddings.examples;

import com.google.protobuf.ByteString;
import io.embeddings.client.Connections;
import io.embeddings.client.EmbeddingsException;
import io.embeddings.client.Exchange;
import io.embeddings.v1.Image;
import io.embeddings.v1.ImageItem;
import io.embeddings.v1.StreamIngestRequest;
import io.grpc.ManagedChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Ingests all JPEG files of a folder as whole images, with the file names as job ids.
 *
 * <p>Usage: BulkIngest FOLDER [HOST:PORT]
 */
public final class BulkIngest {
    private BulkIngest() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 1) {
            System.err.println("usage: BulkIngest FOLDER [HOST:PORT]");
            System.exit(2);
        }
        int[] counts = new int[2];
        ManagedChannel channel = Connections.open(arguments.length > 1 ? arguments[1] : "localhost:50051");
        try (Stream<Path> files = Files.list(Path.of(arguments[0]))) {
            // Lazy: a file is read only when the server accepts the next image, so only a few images are in memory at a time.
            Stream<StreamIngestRequest> items = files.filter(file -> file.toString().endsWith(".jpg")).map(BulkIngest::item);
            Exchange.ingest(channel, new Exchange.Options()).run(items.iterator(), (request, answer) -> {
                if (answer.hasError()) {
                    counts[1]++;
                    System.err.println(request.getItemId() + ": " + EmbeddingsException.fromItem(answer.getError()).getMessage());
                } else {
                    counts[0]++;
                }
            });
        } finally {
            channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        }
        System.out.println(counts[0] + " stored, " + counts[1] + " failed");
        System.exit(counts[1] > 0 ? 1 : 0);
    }

    private static StreamIngestRequest item(Path file) {
        try {
            String name = file.getFileName().toString();
            Image image = Image.newBuilder().setEncoded(ByteString.copyFrom(Files.readAllBytes(file))).build();
            ImageItem item = ImageItem.newBuilder().setJobId(name.substring(0, name.lastIndexOf('.'))).setImage(image).build();
            return StreamIngestRequest.newBuilder().setItemId(name).setImage(item).build();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
