using System.Runtime.InteropServices;

namespace Embeddings.Storage.Sqlite;

/// <summary>A point as its table holds it. Made on the caller's thread, so that the one writer has little to do.</summary>
internal sealed record PointRow
{
    public required string Id { get; init; }

    /// <summary>The id in UTF-8. Texts go to SQLite as bytes: bound as strings, they would end at U+0000.</summary>
    public required byte[] IdText { get; init; }

    public required byte[] JobId { get; init; }

    public required byte[] MediaStoreId { get; init; }

    public required int? FaceIndex { get; init; }

    public required float? Confidence { get; init; }

    /// <summary>Four floats, little-endian, as are landmarks and vector.</summary>
    public required byte[]? Bbox { get; init; }

    public required byte[]? Landmarks { get; init; }

    /// <summary>JSON in UTF-8.</summary>
    public required byte[]? Attributes { get; init; }

    /// <summary>The vector as it was given.</summary>
    public required byte[] Vector { get; init; }

    public ReadOnlySpan<float> Floats => MemoryMarshal.Cast<byte, float>(Vector);
}
