using System.Text.Json;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Samples.IngestionWorker;

/// <summary>One line of the item list. A line with <c>face_index</c> is a face crop, any other a whole image.</summary>
internal sealed record IngestionItem(
    string Path, string JobId, string MediaStoreId = "", int? FaceIndex = null, Box? Bbox = null, float? Confidence = null)
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>Id of the stored point, which is also used as the item id of the stream.</summary>
    public string PointId => FaceIndex is { } index ? $"{JobId}-{index}" : JobId;

    /// <exception cref="JsonException">The line is not a valid item.</exception>
    public static IngestionItem Parse(string line) =>
        JsonSerializer.Deserialize<IngestionItem>(line, Format)
        ?? throw new JsonException("The line must be an object; got null.");

    /// <summary>Reads the image, whose path is relative to the folder of the list, and creates the request.</summary>
    public async Task<StreamIngestRequest> ReadAsync(string folder, string collection, CancellationToken cancellationToken)
    {
        var bytes = await File.ReadAllBytesAsync(System.IO.Path.Combine(folder, Path), cancellationToken);
        // The array is not modified afterwards, so it does not have to be copied.
        var image = new Image { Encoded = UnsafeByteOperations.UnsafeWrap(bytes) };
        var request = new StreamIngestRequest { ItemId = PointId, Collection = collection };
        if (FaceIndex is not { } index)
        {
            request.Image = new ImageItem { JobId = JobId, MediaStoreId = MediaStoreId, Image = image };
            return request;
        }

        request.Face = new FaceItem
        {
            JobId = JobId,
            MediaStoreId = MediaStoreId,
            FaceIndex = index,
            Face = new FaceCrop { Image = image },
        };
        if (Bbox is { } box)
        {
            request.Face.Bbox = new BoundingBox { X = box.X, Y = box.Y, Width = box.Width, Height = box.Height };
        }

        if (Confidence is { } confidence)
        {
            request.Face.Confidence = confidence;
        }

        return request;
    }
}

/// <summary>Bounding box in pixels of the source image.</summary>
internal sealed record Box(float X, float Y, float Width, float Height);
