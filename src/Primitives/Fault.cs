using System.Globalization;

namespace Embeddings.Primitives;

/// <summary>
/// An error that callers may see: what is wrong, which field, and whether to try again. The server sends any other exception as
/// INTERNAL, without its message.
/// </summary>
public sealed class Fault : Exception
{
    private readonly SortedDictionary<string, string> _metadata = new(StringComparer.Ordinal);

    /// <summary>Creates a fault.</summary>
    /// <param name="kind">The gRPC status it becomes.</param>
    /// <param name="reason">A word in UPPER_SNAKE case that programs can switch on (docs/errors.md).</param>
    /// <param name="message">A sentence that says what is wrong, the value, the limit and what to do.</param>
    /// <param name="field">Path of the request's field at fault, relative to the item; empty if it is not one field.</param>
    /// <param name="retryAfter">Time after which the caller may try again; null if that would not help.</param>
    /// <param name="inner">The cause.</param>
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

    /// <summary>A word in UPPER_SNAKE case that programs can switch on (docs/errors.md).</summary>
    public string Reason { get; }

    /// <summary>Path of the request's field at fault, relative to the item; empty if it is not one field.</summary>
    public string Field { get; }

    /// <summary>Time after which the caller may try again; null if that would not help.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>Values of the message that programs can read, such as the limit, by the names of <see cref="FaultKeys"/>.</summary>
    internal IReadOnlyDictionary<string, string> Metadata => _metadata;

    internal static Fault Invalid(string reason, string field, string message, Exception? inner = null) =>
        new(FaultKind.InvalidArgument, reason, message, field, inner: inner);

    /// <summary>The same fault with the field's path in an outer message: <c>image</c> within <c>item</c> is <c>item.image</c>.</summary>
    internal Fault Within(string prefix) =>
        prefix.Length == 0 || Field.Length == 0
            ? this
            : At($"{prefix}.{Field}");

    /// <summary>The same fault at another field.</summary>
    internal Fault At(string field) => new Fault(Kind, Reason, Message, field, RetryAfter, InnerException).With(_metadata);

    /// <summary>The same fault with another message.</summary>
    internal Fault Saying(string message) => new Fault(Kind, Reason, message, Field, RetryAfter, InnerException).With(_metadata);

    /// <summary>The same fault without a value that programs can read.</summary>
    internal Fault Without(string key) => new Fault(Kind, Reason, Message, Field, RetryAfter, InnerException)
        .With(_metadata.Where(entry => entry.Key != key));

    /// <summary>Adds a value that programs can read, unless one of that name has been added; returns this fault.</summary>
    internal Fault With(string key, object value)
    {
        _metadata.TryAdd(key, string.Create(CultureInfo.InvariantCulture, $"{value}"));
        return this;
    }

    private Fault With(IEnumerable<KeyValuePair<string, string>> values)
    {
        foreach (var (key, value) in values)
        {
            With(key, value);
        }
        return this;
    }
}

/// <summary>Names of the values in <see cref="Fault.Metadata"/> (docs/errors.md). They are part of the contract.</summary>
internal static class FaultKeys
{
    public const string Collection = "collection";
    public const string Model = "model";
    public const string Point = "point";
    public const string Person = "person";
    public const string Alias = "alias";

    /// <summary>The field of the request.</summary>
    public const string Field = "field";

    /// <summary>A bound that a value must not exceed, as the maximum alone or as a range.</summary>
    public const string Limit = "limit";

    /// <summary>The value that the request or the store requires.</summary>
    public const string Expected = "expected";

    /// <summary>The value that was found.</summary>
    public const string Actual = "actual";

    /// <summary>The server's setting of the limit.</summary>
    public const string Setting = "setting";

    /// <summary>
    /// The indexes of the points of the request that are not stored, or may not be, as <see cref="IndexRanges"/> writes them; all
    /// others are stored.
    /// </summary>
    public const string NotStored = "not_stored";
}

/// <summary>Kinds of faults. The values are the status codes of gRPC.</summary>
public enum FaultKind
{
    /// <summary>The caller cancelled the call.</summary>
    Cancelled = 1,

    /// <summary>The request is not valid.</summary>
    InvalidArgument = 3,

    /// <summary>The deadline has passed.</summary>
    DeadlineExceeded = 4,

    /// <summary>A model, point or collection does not exist.</summary>
    NotFound = 5,

    /// <summary>A collection or an alias exists already.</summary>
    AlreadyExists = 6,

    /// <summary>The caller has not the rights for the operation.</summary>
    PermissionDenied = 7,

    /// <summary>A queue or a store is full, or a message is too large.</summary>
    ResourceExhausted = 8,

    /// <summary>The collection was created by another model, or does not permit the operation.</summary>
    FailedPrecondition = 9,

    /// <summary>The model failed on the item.</summary>
    Internal = 13,

    /// <summary>A model or the store is not available.</summary>
    Unavailable = 14,

    /// <summary>The caller has no key, token, or certificate that the server accepts.</summary>
    Unauthenticated = 16,
}
