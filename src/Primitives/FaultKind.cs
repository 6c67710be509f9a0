namespace Embeddings.Primitives;

/// <summary>What went wrong, in the terms of the contract. The numbers are gRPC's status codes, so that the one mapping outside is a cast.</summary>
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
