using System.Globalization;
using Embeddings.V1;

namespace Embeddings.Cli.Ingesting;

/// <summary>A manifest's line and its picture as the contract's message.</summary>
internal static class IngestRequests
{
    public static StreamIngestRequest Of(long number, ManifestLine line, Image image, IngestSettings settings)
    {
        var request = new StreamIngestRequest
        {
            ItemId = number.ToString(CultureInfo.InvariantCulture),
            Model = settings.Model,
            Collection = settings.Collection,
        };
        if (settings.Kind == ItemKind.Face)
        {
            request.Face = Face(line, image);
        }
        else
        {
            request.Image = new ImageItem { JobId = line.JobId, MediaStoreId = line.MediaStoreId, Image = image, Attributes = line.Attributes };
        }
        return request;
    }

    private static FaceItem Face(ManifestLine line, Image image)
    {
        var item = new FaceItem
        {
            JobId = line.JobId,
            MediaStoreId = line.MediaStoreId,
            FaceIndex = line.FaceIndex ?? 0,
            Face = new FaceCrop { Image = image, Landmarks = line.Landmarks },
            Bbox = line.Bbox,
            Attributes = line.Attributes,
        };
        if (line.Confidence is { } confidence)
        {
            item.Confidence = confidence;
        }
        return item;
    }
}
