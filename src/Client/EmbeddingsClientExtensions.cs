using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Client;

/// <summary>Shorter forms of the most frequent calls. They throw as the methods they call do.</summary>
public static class EmbeddingsClientExtensions
{
    /// <summary>Embeds one whole image.</summary>
    /// <param name="client">The client.</param>
    /// <param name="encoded">A JPEG, PNG, WebP, GIF, TIFF or AVIF file. Not copied: leave it alone until the answer is there.</param>
    /// <param name="model">Name of an image model; empty for the server's default one.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<EmbedImageResponse> EmbedImageAsync(
        this EmbeddingsClient client, ReadOnlyMemory<byte> encoded, string model = "", CancellationToken cancellationToken = default) =>
        client.EmbedImageAsync(new EmbedImageRequest { Image = Encoded(encoded), Model = model }, cancellationToken);

    /// <summary>Embeds one face.</summary>
    /// <param name="client">The client.</param>
    /// <param name="encoded">An encoded face crop, or with <paramref name="landmarks"/> any picture that holds the face. Not copied.</param>
    /// <param name="model">Name of a face model; empty for the server's default one.</param>
    /// <param name="landmarks">Five points in pixels, to cut the face out and turn it upright; null takes the crop as aligned.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<EmbedFaceResponse> EmbedFaceAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> encoded,
        string model = "",
        FaceLandmarks? landmarks = null,
        CancellationToken cancellationToken = default)
    {
        var face = new FaceCrop { Image = Encoded(encoded), Landmarks = landmarks };
        return client.EmbedFaceAsync(new EmbedFaceRequest { Face = face, Model = model }, cancellationToken);
    }

    /// <summary>Embeds one whole image and stores its vector under the id <paramref name="jobId"/>.</summary>
    /// <param name="client">The client.</param>
    /// <param name="jobId">The job, 1 to 512 bytes.</param>
    /// <param name="encoded">An encoded picture. Not copied.</param>
    /// <param name="mediaStoreId">The media item, at most 512 bytes.</param>
    /// <param name="collection">The collection; empty for <c>image_embeddings</c>.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<IngestImageResponse> IngestImageAsync(
        this EmbeddingsClient client,
        string jobId,
        ReadOnlyMemory<byte> encoded,
        string mediaStoreId = "",
        string collection = "",
        CancellationToken cancellationToken = default)
    {
        var item = new ImageItem { JobId = jobId, MediaStoreId = mediaStoreId, Image = Encoded(encoded) };
        return client.IngestImageAsync(new IngestImageRequest { Item = item, Collection = collection }, cancellationToken);
    }

    /// <summary>One stored point with its vector and payload.</summary>
    /// <param name="client">The client.</param>
    /// <param name="collection">The collection.</param>
    /// <param name="pointId">The point's id.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<VectorPoint> GetVectorAsync(
        this EmbeddingsClient client, string collection, string pointId, CancellationToken cancellationToken = default)
    {
        var request = new GetVectorRequest { Collection = collection, PointId = pointId };
        return (await client.GetVectorAsync(request, cancellationToken).ConfigureAwait(false)).Point;
    }

    /// <summary>How many points there are, exactly.</summary>
    /// <param name="client">The client.</param>
    /// <param name="collection">The collection.</param>
    /// <param name="filter">Which points; null for all.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<long> CountVectorsAsync(
        this EmbeddingsClient client, string collection, Filter? filter = null, CancellationToken cancellationToken = default)
    {
        var request = new CountVectorsRequest { Collection = collection, Filter = filter };
        return (await client.CountVectorsAsync(request, cancellationToken).ConfigureAwait(false)).Count;
    }

    /// <summary>The points nearest to a vector, best first.</summary>
    /// <param name="client">The client.</param>
    /// <param name="collection">The collection.</param>
    /// <param name="vector">As many numbers as the collection's dimension: finite and not all zero.</param>
    /// <param name="limit">From 1 to 1,000.</param>
    /// <param name="filter">Which points; null for all.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<IReadOnlyList<ScoredPoint>> SearchVectorsAsync(
        this EmbeddingsClient client,
        string collection,
        ReadOnlyMemory<float> vector,
        int limit = 10,
        Filter? filter = null,
        CancellationToken cancellationToken = default)
    {
        var query = new SearchQuery { Vector = new QueryVector() };
        query.Vector.Values.AddRange(vector.ToArray());
        var request = new SearchVectorsRequest { Collection = collection, Queries = { query }, Limit = limit, Filter = filter };
        return (await client.SearchVectorsAsync(request, cancellationToken).ConfigureAwait(false)).Results[0].Points;
    }

    /// <summary>Removes all points of a job.</summary>
    /// <param name="client">The client.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="collection">Where; empty for every collection.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>How many there were.</returns>
    public static async Task<long> DeleteByJobIdAsync(
        this EmbeddingsClient client, string jobId, string collection = "", CancellationToken cancellationToken = default)
    {
        var request = new DeleteByJobIdRequest { JobId = jobId, Collection = collection };
        return (await client.DeleteByJobIdAsync(request, cancellationToken).ConfigureAwait(false)).DeletedCount;
    }

    private static Image Encoded(ReadOnlyMemory<byte> encoded) => new() { Encoded = UnsafeByteOperations.UnsafeWrap(encoded) };
}
