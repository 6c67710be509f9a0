using System.Text.Json.Nodes;

namespace Embeddings.Storage;

/// <summary>A point. The caller ensures that its vector is finite and not all zero.</summary>
/// <param name="Id">The id, 1 to 1,024 bytes of UTF-8.</param>
/// <param name="Vector">
/// The vector as it was given, not normalized; empty if it was not requested. A store that keeps norm and direction
/// separately may return values with a relative error of up to 2^-22.
/// </param>
/// <param name="Payload">The payload.</param>
internal sealed record StoredPoint(string Id, ReadOnlyMemory<float> Vector, PointPayload Payload);

/// <summary>A point's data besides its vector. The names are those of the contract.</summary>
internal sealed record PointPayload
{
    public static PointPayload Empty { get; } = new();

    public string JobId { get; init; } = "";

    public string MediaStoreId { get; init; } = "";

    public int? FaceIndex { get; init; }

    public BoundingBox? Bbox { get; init; }

    public float? Confidence { get; init; }

    /// <summary>x and y of left eye, right eye, nose, left and right mouth corner: ten values, or null.</summary>
    public float[]? Landmarks { get; init; }

    /// <summary>The user's own fields, or null. Treated as immutable.</summary>
    public JsonObject? Attributes { get; init; }

    /// <summary>
    /// The time of the write, in whole milliseconds. A store sets it when it writes a point without one; null if an earlier
    /// version wrote the point.
    /// </summary>
    public DateTimeOffset? StoredAt { get; init; }

    /// <summary>The time from which the point may be deleted, in whole milliseconds; null for no such time.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>
    /// True if the point is on legal hold. Only <see cref="IVectorStore.SetHoldAsync(string, PointFilter, bool, CancellationToken)"/>
    /// ends a hold: a write replaces a point on hold only if it is itself on hold, as copies between stores are.
    /// </summary>
    public bool OnHold { get; init; }
}

/// <summary>The position of a face, in pixels of its source image.</summary>
internal readonly record struct BoundingBox(float X, float Y, float Width, float Height);

/// <summary>A page of points.</summary>
/// <param name="Points">
/// At most as many points as requested, and at most <see cref="MaxBytes"/>; a single larger point is returned alone.
/// </param>
/// <param name="NextPageToken">The token of the next page; empty on the last page.</param>
internal sealed record PointPage(IReadOnlyList<StoredPoint> Points, string NextPageToken)
{
    /// <summary>
    /// The maximum size of a page: below the 4 MiB that clients accept by default, with space for the page token.
    /// </summary>
    public const int MaxBytes = (4 << 20) - 4096;
}
