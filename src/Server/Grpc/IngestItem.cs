using Embeddings.Core;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc;

/// <summary>What an ingest request comes to: where its vector goes, and with what.</summary>
/// <param name="ItemId">The caller's name for it.</param>
/// <param name="Collection">The collection.</param>
/// <param name="PointId">The point's id.</param>
/// <param name="Payload">What is stored with the vector.</param>
/// <param name="ReturnEmbedding">Whether the ack carries the vector.</param>
internal sealed record IngestItem(string ItemId, string Collection, string PointId, PointPayload Payload, bool ReturnEmbedding)
{
    public static (IngestItem Item, EmbedRequest Embed) Read(V1.IngestImageRequest request) =>
        Image(request.Item, "item", "", request.Model, request.Collection, request.ReturnEmbedding, wait: false);

    public static (IngestItem Item, EmbedRequest Embed) Read(V1.IngestFaceRequest request) =>
        Face(request.Item, "item", "", request.Model, request.Collection, request.ReturnEmbedding, wait: false);

    public static (IngestItem Item, EmbedRequest Embed) Read(V1.StreamIngestRequest request)
    {
        var itemId = Require.Bounded(request.ItemId, "item_id", Require.MaxIdBytes);
        return request.ItemCase switch
        {
            V1.StreamIngestRequest.ItemOneofCase.Image =>
                Image(request.Image, "image", itemId, request.Model, request.Collection, request.ReturnEmbedding, wait: true),
            V1.StreamIngestRequest.ItemOneofCase.Face =>
                Face(request.Face, "face", itemId, request.Model, request.Collection, request.ReturnEmbedding, wait: true),
            _ => throw Require.Missing("item"),
        };
    }

    private static (IngestItem Item, EmbedRequest Embed) Image(
        V1.ImageItem? image, string path, string itemId, string model, string collection, bool returnEmbedding, bool wait)
    {
        var present = Require.Present(image, path);
        var payload = FieldPath.Within(path, () => PayloadMapping.ToStored(present));
        var item = new IngestItem(itemId, Require.Collection(collection, Collections.Of(ModelKind.Image)), payload.JobId, payload, returnEmbedding);
        return (item, PictureMapping.ToRequest(present.Image, model, wait, path));
    }

    private static (IngestItem Item, EmbedRequest Embed) Face(
        V1.FaceItem? face, string path, string itemId, string model, string collection, bool returnEmbedding, bool wait)
    {
        var present = Require.Present(face, path);
        var payload = FieldPath.Within(path, () => PayloadMapping.ToStored(present));
        var id = FormattableString.Invariant($"{payload.JobId}-{payload.FaceIndex}");
        var item = new IngestItem(itemId, Require.Collection(collection, Collections.Of(ModelKind.Face)), id, payload, returnEmbedding);
        return (item, PictureMapping.ToRequest(present.Face, model, wait, $"{path}.face"));
    }
}
