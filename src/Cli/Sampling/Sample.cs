using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Sampling;

/// <summary>One drawn picture of one subject.</summary>
internal sealed record Sample
{
    public required ItemKind Kind { get; init; }

    /// <summary>What is drawn: <c>scene-03</c>, <c>face-11</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>Which of the subject's pictures it is, from 1.</summary>
    public required int Number { get; init; }

    public required Variation Variation { get; init; }

    public required ReadOnlyMemory<byte> Jpeg { get; init; }

    /// <summary>The face's points in the picture; null for scenes.</summary>
    public FaceLandmarks? Landmarks { get; init; }

    public string JobId => $"sample-{Subject}-v{Number}";

    public string MediaStoreId => $"sample-{Subject}";

    public Image Image => new() { Encoded = UnsafeByteOperations.UnsafeWrap(Jpeg) };

    public FaceCrop Face => new() { Image = Image, Landmarks = Landmarks };

    public StreamIngestRequest ToRequest() => Kind == ItemKind.Face
        ? new()
        {
            ItemId = JobId,
            Face = new FaceItem { JobId = JobId, MediaStoreId = MediaStoreId, FaceIndex = 0, Face = Face, Confidence = 1, Attributes = Attributes },
        }
        : new()
        {
            ItemId = JobId,
            Image = new ImageItem { JobId = JobId, MediaStoreId = MediaStoreId, Image = Image, Attributes = Attributes },
        };

    private Struct Attributes => new()
    {
        Fields =
        {
            // What keeps the samples apart from whatever else is in the collections.
            ["sample"] = Value.ForBool(true),
            ["subject"] = Value.ForString(Subject),
            ["light"] = Value.ForNumber(Math.Round(Variation.Light.Gain, 2)),
            ["zoom"] = Value.ForNumber(Math.Round(Variation.Zoom, 2)),
            ["width"] = Value.ForNumber(Variation.PixelWidth),
            ["jpeg_quality"] = Value.ForNumber(Variation.JpegQuality),
        },
    };
}
