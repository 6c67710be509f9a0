namespace Embeddings.Primitives;

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

    /// <summary>A queue or a store is full, or a message is too large.</summary>
    ResourceExhausted = 8,

    /// <summary>The collection was created by another model.</summary>
    FailedPrecondition = 9,

    /// <summary>The model failed on the item.</summary>
    Internal = 13,

    /// <summary>A model or the store is not available.</summary>
    Unavailable = 14,
}
