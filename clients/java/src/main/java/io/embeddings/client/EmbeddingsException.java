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
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A call or an item that failed. */
public final class EmbeddingsException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final Metadata.Key<byte[]> DETAILS = Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

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

    /** What a failed call says; takes StatusRuntimeException and StatusException. */
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
            // The code and the message stay.
            reason = "";
        }
        return new EmbeddingsException(status.getCode(), reason, field, status.getDescription(), retryAfter);
    }

    /** What one item of a stream failed of. */
    public static EmbeddingsException fromItem(ItemError error) {
        Status.Code code = Status.fromCodeValue(error.getCode()).getCode();
        return new EmbeddingsException(code, error.getReason(), error.getField(), error.getMessage(), Duration.ZERO);
    }

    /** The gRPC status code. */
    public Status.Code code() {
        return code;
    }

    /** UPPER_SNAKE word to switch on (docs/errors.md); empty where no server gave one. */
    public String reason() {
        return reason;
    }

    /** Path of the field at fault, for example {@code image.encoded}; empty where no field is. */
    public String field() {
        return field;
    }

    /** How long the server asks to wait; zero where it does not. */
    public Duration retryAfter() {
        return retryAfter;
    }

    /** Whether the same may succeed later: the server was away, or full and said when to come again. */
    public boolean retryable() {
        return code == Status.Code.UNAVAILABLE || (code == Status.Code.RESOURCE_EXHAUSTED && !retryAfter.isZero());
    }
}
