namespace Embeddings.Primitives;

/// <summary>
/// The one error kind inside the server: what a caller may know. Anything else that is thrown is a bug and leaves as INTERNAL without its text.
/// </summary>
internal sealed class Fault : Exception
{
    public Fault(FaultKind kind, string reason, string message, string field = "", TimeSpan? retryAfter = null, Exception? inner = null)
        : base(message, inner)
    {
        Kind = kind;
        Reason = reason;
        Field = field;
        RetryAfter = retryAfter;
    }

    /// <summary>The gRPC status it becomes.</summary>
    public FaultKind Kind { get; }

    /// <summary>An UPPER_SNAKE word a program can switch on; all of them are in <see cref="Reasons"/>.</summary>
    public string Reason { get; }

    /// <summary>Path of the request's field at fault, relative to the item; empty where no field is.</summary>
    public string Field { get; }

    /// <summary>When the caller may try again; null where that would not help.</summary>
    public TimeSpan? RetryAfter { get; }

    public static Fault Invalid(string reason, string field, string message, Exception? inner = null) =>
        new(FaultKind.InvalidArgument, reason, message, field, inner: inner);

    /// <summary>The same fault, its field seen from a message further out: <c>image</c> within <c>item</c> is <c>item.image</c>.</summary>
    public Fault Within(string prefix) =>
        prefix.Length == 0 || Field.Length == 0 ? this : new(Kind, Reason, Message, $"{prefix}.{Field}", RetryAfter, InnerException);
}
