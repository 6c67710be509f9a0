namespace Embeddings.Storage;

/// <summary>A point. Its vector is finite and not all zero: the caller has checked.</summary>
/// <param name="Id">Its id, 1 to 1,024 bytes of UTF-8.</param>
/// <param name="Vector">
/// The vector as it was given, not normalised; empty where it was not asked for. A store that keeps length and direction apart may be off by 2^-22 of a number.
/// </param>
/// <param name="Payload">What is known of it.</param>
internal sealed record StoredPoint(string Id, ReadOnlyMemory<float> Vector, PointPayload Payload);
