using System.Text.Json.Nodes;

namespace Embeddings.Storage;

/// <summary>What is known of a point besides its vector. The names are the contract's.</summary>
internal sealed record PointPayload
{
    public static PointPayload Empty { get; } = new();

    public string JobId { get; init; } = "";

    public string MediaStoreId { get; init; } = "";

    public int? FaceIndex { get; init; }

    public BoundingBox? Bbox { get; init; }

    public float? Confidence { get; init; }

    /// <summary>x and y of left eye, right eye, nose, left and right mouth corner: ten numbers, or null.</summary>
    public float[]? Landmarks { get; init; }

    /// <summary>The user's own fields, or null. Treated as immutable.</summary>
    public JsonObject? Attributes { get; init; }
}
