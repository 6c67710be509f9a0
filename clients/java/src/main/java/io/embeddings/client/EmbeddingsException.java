package io.embeddings.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import io.embeddings.client.status.BadRequest;
import io.embeddings.client.status.ErrorInfo;
import io.embeddings.client.status.RetryInfo;
import io.embeddings.v1.ItemError;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The error of a failed call or item. */
public final class EmbeddingsException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final Metadata.Key<byte[]> DETAILS = Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

    // Codes with which gRPC reports a connection that broke. The server never sends them without a reason.
    private static final Set<Status.Code> BROKEN =
            EnumSet.of(Status.Code.UNAVAILABLE, Status.Code.CANCELLED, Status.Code.INTERNAL, Status.Code.UNKNOWN);

    private final Status.Code code;
    private final String reason;
    private final String field;
    private final Duration retryAfter;

    EmbeddingsException(Status.Code code, String reason, String field, String message, Duration retryAfter) {
        super(Stream.of(reason.isEmpty() ? code.name() : reason, field, Objects.requireNonNullElse(message, ""))
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining(": ")));
        this.code = code;
        this.reason = reason;
        this.field = field;
        this.retryAfter = retryAfter;
    }

    /** Converts the error of a failed call, which is a StatusRuntimeException or a StatusException. */
    public static EmbeddingsException fromCall(Throwable error) {
        Status status = Status.fromThrowable(error);
        Metadata trailers = Status.trailersFromThrowable(error);
        byte[] bytes = trailers == null ? null : trailers.get(DETAILS);
        String reason = "";
        String field = "";
        Duration retryAfter = Duration.ZERO;
        try {
            if (bytes != null) {
                for (Any detail : io.embeddings.client.status.Status.parseFrom(bytes).getDetailsList()) {
                    String kind = detail.getTypeUrl().substring(detail.getTypeUrl().lastIndexOf('.') + 1);
                    if (kind.equals("ErrorInfo")) {
                        reason = ErrorInfo.parseFrom(detail.getValue()).getReason();
                    } else if (kind.equals("BadRequest")) {
                        BadRequest bad = BadRequest.parseFrom(detail.getValue());
                        field = bad.getFieldViolationsCount() > 0 ? bad.getFieldViolations(0).getField() : "";
                    } else if (kind.equals("RetryInfo")) {
                        com.google.protobuf.Duration delay = RetryInfo.parseFrom(detail.getValue()).getRetryDelay();
                        retryAfter = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
                    }
                }
            }
        } catch (InvalidProtocolBufferException e) {
            // Malformed details are ignored; the code and the message remain.
            reason = "";
        }
        return new EmbeddingsException(status.getCode(), reason, field, describe(status), retryAfter);
    }

    // A connection that fails is described by the causes only, for example a certificate that is not trusted.
    private static String describe(Status status) {
        String description = Objects.requireNonNullElse(status.getDescription(), "");
        Throwable cause = status.getCause();
        while (cause != null && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause == null || cause.getMessage() == null || description.contains(cause.getMessage())
                ? description
                : description.isEmpty() ? cause.getMessage() : description + ": " + cause.getMessage();
    }

    /**
     * Converts the error of a failed stream. An end that the server did not state itself is a broken connection, whatever its
     * code: a proxy that ends a stream after a time limit, for example, leaves INTERNAL or CANCELLED without a reason. It
     * becomes UNAVAILABLE, which is retryable.
     */
    static EmbeddingsException fromStream(Throwable error) {
        EmbeddingsException made = fromCall(error);
        if (!made.reason.isEmpty() || !BROKEN.contains(made.code)) {
            return made;
        }
        String description = describe(Status.fromThrowable(error));
        String message = description.isEmpty() ? made.code.name() : description;
        return new EmbeddingsException(Status.Code.UNAVAILABLE, "", "", "The connection broke: " + message, Duration.ZERO);
    }

    /** Converts the error of a stream item. */
    public static EmbeddingsException fromItem(ItemError error) {
        Status.Code code = Status.fromCodeValue(error.getCode()).getCode();
        return new EmbeddingsException(code, error.getReason(), error.getField(), error.getMessage(), Duration.ZERO);
    }

    /** gRPC status code. */
    public Status.Code code() {
        return code;
    }

    /** Machine-readable reason in UPPER_SNAKE_CASE (docs/errors.md). Empty if the server gave none. */
    public String reason() {
        return reason;
    }

    /** Path of the invalid field, for example {@code image.encoded}. Empty if the error does not concern a field. */
    public String field() {
        return field;
    }

    /** Delay before a retry as requested by the server, or zero. */
    public Duration retryAfter() {
        return retryAfter;
    }

    /** Whether a retry may succeed: the server was unavailable, or overloaded and requested a retry. */
    public boolean retryable() {
        return code == Status.Code.UNAVAILABLE || (code == Status.Code.RESOURCE_EXHAUSTED && !retryAfter.isZero());
    }
}
