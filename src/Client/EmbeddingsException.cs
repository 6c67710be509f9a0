using Grpc.Core;

namespace Embeddings.Client;

/// <summary>
/// A call or an item that failed: the server's own words where it answered, else what the connection says. A call that its caller cancels throws
/// <see cref="OperationCanceledException"/> instead.
/// </summary>
public sealed class EmbeddingsException : Exception
{
    /// <summary>Makes one; for tests and doubles of the client too.</summary>
    /// <param name="status">The gRPC status.</param>
    /// <param name="reason">An UPPER_SNAKE word; empty takes the status' name.</param>
    /// <param name="message">One sentence for a person.</param>
    /// <param name="field">Path of the request's field at fault; empty where none is.</param>
    /// <param name="retryAfter">When trying again may help.</param>
    /// <param name="inner">What caused it.</param>
    public EmbeddingsException(
        StatusCode status, string reason, string message, string field = "", TimeSpan? retryAfter = null, Exception? inner = null)
        : base(message, inner)
    {
        Status = status;
        Reason = string.IsNullOrEmpty(reason) ? Calls.ErrorDetails.Word(status) : reason;
        Field = field ?? "";
        RetryAfter = retryAfter;
    }

    /// <summary>
    /// The gRPC status: INVALID_ARGUMENT for bad input, RESOURCE_EXHAUSTED for a full server, UNAVAILABLE for one that cannot be reached, ...
    /// </summary>
    public StatusCode Status { get; }

    /// <summary>
    /// A word a program can switch on, UPPER_SNAKE, for example <c>IMAGE_MALFORMED</c>; the status' name where the server gave none. Never empty.
    /// </summary>
    public string Reason { get; }

    /// <summary>Path of the request's field at fault, for example <c>image.encoded</c>; empty where none is.</summary>
    public string Field { get; }

    /// <summary>How long to wait before trying again; null where the server did not say.</summary>
    public TimeSpan? RetryAfter { get; }
}
