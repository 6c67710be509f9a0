package io.embeddings.client;

import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;

/** Creates connections to the server. */
public final class Connections {
    private static final int MAX_MESSAGE = 64 * 1024 * 1024;

    private Connections() {}

    /**
     * Creates a channel to {@code host:port} or {@code http://host:port}, without TLS. It connects on the first call and
     * reconnects if the connection breaks. Close it with {@code shutdown()}.
     *
     * @throws IllegalArgumentException if the address has another form
     */
    public static ManagedChannel open(String address) {
        String target = address.startsWith("http://") ? address.substring("http://".length()) : address;
        if (target.isEmpty() || target.contains("/")) {
            throw new IllegalArgumentException("address must be of the form host:port or http://host:port; got '" + address + "'.");
        }
        return ManagedChannelBuilder.forTarget(target).usePlaintext().maxInboundMessageSize(MAX_MESSAGE).build();
    }
}
