using Embeddings.Client.Calls;
using Grpc.Core;

namespace Embeddings.Client;

/// <summary>
/// The error of a failed call or item, as reported by the server or, if the server could not be reached, by the
/// connection. A canceled call throws <see cref="OperationCanceledException"/> instead.
/// </summary>
public sealed class EmbeddingsException : Exception
{
    /// <summary>Creates an exception. Public so that tests and test doubles can create one.</summary>
    /// <param name="status">gRPC status code.</param>
    /// <param name="reason">Reason in UPPER_SNAKE_CASE. If empty, the name of the status code is used.</param>
    /// <param name="message">Human-readable description of the error.</param>
    /// <param name="field">Path of the invalid request field, or empty if the error does not concern a field.</param>
    /// <param name="retryAfter">Delay before a retry, or null if the server did not specify one.</param>
    /// <param name="inner">Exception that caused this one, or null.</param>
    public EmbeddingsException(
        StatusCode status,
        string reason,
        string message,
        string field = "",
        TimeSpan? retryAfter = null,
        Exception? inner = null)
        : base(message, inner)
    {
        Status = status;
        Reason = string.IsNullOrEmpty(reason) ? ErrorDetails.StatusName(status) : reason;
        Field = field ?? "";
        RetryAfter = retryAfter;
    }

    /// <summary>
    /// gRPC status code, for example INVALID_ARGUMENT for invalid input, RESOURCE_EXHAUSTED for an overloaded server,
    /// or UNAVAILABLE if the server cannot be reached.
    /// </summary>
    public StatusCode Status { get; }

    /// <summary>
    /// Machine-readable reason in UPPER_SNAKE_CASE, for example <c>IMAGE_MALFORMED</c>, or the name of the status code
    /// if the server gave no reason. Never empty.
    /// </summary>
    public string Reason { get; }

    /// <summary>
    /// Path of the invalid request field, for example <c>image.encoded</c>, or empty if the error does not concern a
    /// field.
    /// </summary>
    public string Field { get; }

    /// <summary>Delay before a retry, as requested by the server, or null if it did not specify one.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>
    /// Indexes of the points of a failed UpsertVectors call that are not known to be stored, in ascending order; all other points of the
    /// request are stored. Empty if no point of the request is known to be stored, which is always so with the embedded store.
    /// </summary>
    public IReadOnlyList<int> NotStored { get; init; } = [];
}
