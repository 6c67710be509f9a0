package io.embeddings.client;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** TLS files and API key of a connection. The files are read when the connection is created. */
public final class Security {
    private static final Metadata.Key<String> AUTHORIZATION = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private static final String OCTET = "(25[0-5]|2[0-4]\\d|1?\\d?\\d)";
    private static final Pattern LOOPBACK =
            Pattern.compile("localhost|127\\." + OCTET + "\\." + OCTET + "\\." + OCTET + "|\\[::1\\]", Pattern.CASE_INSENSITIVE);

    private Path caFile;
    private Path clientCertificateFile;
    private Path clientKeyFile;
    private String apiKey;

    /**
     * PEM file of the certificate authorities to trust instead of those of the Java runtime. Default: null. Requires an {@code https://}
     * address.
     */
    public Security caFile(Path value) {
        caFile = value;
        return this;
    }

    /**
     * PEM file of the client certificate, followed by its intermediate certificates, for servers that ask for one. Default: null. Requires
     * an {@code https://} address.
     */
    public Security clientCertificateFile(Path value) {
        clientCertificateFile = value;
        return this;
    }

    /**
     * PEM file of the key of the client certificate, as PKCS #8 ({@code BEGIN PRIVATE KEY}), not encrypted. Default: null, the file of the
     * certificate.
     */
    public Security clientKeyFile(Path value) {
        clientKeyFile = value;
        return this;
    }

    /**
     * API key sent with every call ({@code authorization: Bearer KEY}). Default: null. Printable ASCII characters without spaces. Requires
     * an {@code https://} address, except for this machine (localhost, 127.0.0.0/8, ::1).
     */
    public Security apiKey(String value) {
        apiKey = value;
        return this;
    }

    /** Returns the credentials of a channel. */
    ChannelCredentials credentials(String target, boolean secure) {
        if (!secure) {
            if (caFile != null || clientCertificateFile != null || clientKeyFile != null) {
                throw new IllegalArgumentException(
                        "caFile, clientCertificateFile, and clientKeyFile require an address that starts with https://; the address is " + target
                                + " without TLS.");
            }
            return InsecureChannelCredentials.create();
        }
        if (clientKeyFile != null && clientCertificateFile == null) {
            throw new IllegalArgumentException("clientKeyFile requires clientCertificateFile, the file of its certificate.");
        }
        TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
        try {
            if (caFile != null) {
                if (!Files.readString(caFile).contains("-----BEGIN CERTIFICATE-----")) {
                    throw new IllegalArgumentException(
                            "caFile must contain a certificate in PEM (-----BEGIN CERTIFICATE-----); '" + caFile + "' has none.");
                }
                tls.trustManager(caFile.toFile());
            }
            if (clientCertificateFile != null) {
                tls.keyManager(clientCertificateFile.toFile(), (clientKeyFile == null ? clientCertificateFile : clientKeyFile).toFile());
            }
        } catch (IOException e) {
            throw new IllegalArgumentException("A file of the certificates or the key cannot be read: " + e, e);
        }
        return tls.build();
    }

    /** Returns the metadata of all calls, or null if there is no API key. Errors do not contain the key. */
    Metadata metadata(String target, boolean secure) {
        if (apiKey == null) {
            return null;
        }
        if (apiKey.isEmpty() || !apiKey.chars().allMatch(letter -> letter > ' ' && letter <= '~')) {
            throw new IllegalArgumentException("apiKey must be null, or at least one printable ASCII character, without spaces.");
        }
        if (!secure && !isLoopback(target)) {
            throw new IllegalArgumentException(
                    "apiKey requires an address that starts with https://, because a key without TLS can be read in transit, except to this machine"
                            + " (localhost, 127.0.0.1, ::1); got " + target + " without TLS.");
        }
        Metadata metadata = new Metadata();
        metadata.put(AUTHORIZATION, "Bearer " + apiKey);
        return metadata;
    }

    /** Returns whether a target is localhost, in 127.0.0.0/8, or ::1. Other names are not resolved. */
    static boolean isLoopback(String target) {
        return LOOPBACK.matcher(target.replaceFirst(":\\d+$", "")).matches();
    }
}
