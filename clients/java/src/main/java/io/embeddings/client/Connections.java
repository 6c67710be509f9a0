package io.embeddings.client;

import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;

/** Where the server is. */
public final class Connections {
    private static final int MAX_MESSAGE = 64 * 1024 * 1024;

    private Connections() {}

    /**
     * A channel to {@code host:port} or {@code http://host:port}, without TLS. It connects at the first call and again whenever the connection breaks. Close
     * it with {@code shutdown()}.
     */
    public static ManagedChannel open(String address) {
        String target = address.startsWith("http://") ? address.substring("http://".length()) : address;
        if (target.isEmpty() || target.contains("/")) {
            throw new IllegalArgumentException("'" + address + "' is not host:port or http://host:port");
        }
        return ManagedChannelBuilder.forTarget(target).usePlaintext().maxInboundMessageSize(MAX_MESSAGE).build();
    }
}
