namespace Embeddings.Primitives;

/// <summary>
/// The server's only error type whose message reaches callers. Any other exception is a bug and is reported as INTERNAL
/// without its text.
/// </summary>
internal sealed class Fault : Exception
{
    public Fault(
        FaultKind kind,
        string reason,
        string message,
        string field = "",
        TimeSpan? retryAfter = null,
        Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        Reason = reason;
        Field = field;
        RetryAfter = retryAfter;
    }

    /// <summary>The gRPC status code.</summary>
    public FaultKind Kind { get; }

    /// <summary>An UPPER_SNAKE_CASE constant that programs can switch on, one of <see cref="Reasons"/>.</summary>
    public string Reason { get; }

    /// <summary>Path of the invalid field, relative to the item; empty if the error does not concern a field.</summary>
    public string Field { get; }

    /// <summary>The time after which a retry may succeed; null if a retry does not help.</summary>
    public TimeSpan? RetryAfter { get; }

    public static Fault Invalid(string reason, string field, string message, Exception? inner = null) =>
        new(FaultKind.InvalidArgument, reason, message, field, inner: inner);

    /// <summary>
    /// The same fault with its field path relative to an outer message: <c>image</c> in <c>item</c> becomes
    /// <c>item.image</c>.
    /// </summary>
    public Fault Within(string prefix) =>
        prefix.Length == 0 || Field.Length == 0
            ? this
            : new(Kind, Reason, Message, $"{prefix}.{Field}", RetryAfter, InnerException);
}

/// <summary>
/// Error categories of the contract. The values are gRPC status codes, so that mapping them is a cast.
/// </summary>
internal enum FaultKind
{
    Cancelled = 1,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Internal = 13,
    Unavailable = 14,
}
