package io.embeddings.client;

import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.stub.MetadataUtils;

/** Creates connections to the server. */
public final class Connections {
    private static final int MAX_MESSAGE = 64 * 1024 * 1024;

    private Connections() {}

    /**
     * Creates a channel to {@code host:port}, {@code http://host:port}, or {@code https://host:port} (TLS with the authorities of the Java
     * runtime). It connects on the first call and reconnects if the connection breaks. Close it with {@code shutdown()}.
     *
     * @throws IllegalArgumentException if the address has another form
     */
    public static ManagedChannel open(String address) {
        return open(address, new Security());
    }

    /**
     * Creates a channel with your own certificate authorities, a client certificate, or an API key.
     *
     * @throws IllegalArgumentException if the address has another form, a file cannot be used, or the API key would be sent without TLS to
     *     another machine; nothing is sent
     */
    public static ManagedChannel open(String address, Security security) {
        boolean secure = address.startsWith("https://");
        String target = address.startsWith("http://") || secure ? address.substring(address.indexOf("//") + 2) : address;
        if (target.isEmpty() || target.contains("/")) {
            throw new IllegalArgumentException(
                    "address must be of the form host:port, http://host:port, or https://host:port; got '" + address + "'.");
        }
        Metadata metadata = security.metadata(target, secure);
        ManagedChannelBuilder<?> builder =
                Grpc.newChannelBuilder(target, security.credentials(target, secure)).maxInboundMessageSize(MAX_MESSAGE);
        if (metadata != null) {
            builder.intercept(MetadataUtils.newAttachHeadersInterceptor(metadata));
            if (!secure) {
                // A key without TLS must not go to a proxy.
                builder.proxyDetector(server -> null);
            }
        }
        return builder.build();
    }
}
