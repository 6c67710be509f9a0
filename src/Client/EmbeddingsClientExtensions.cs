using System.Runtime.CompilerServices;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Grpc.Core;

namespace Embeddings.Client;

/// <summary>
/// Shorter forms of the most common calls, and enumerations of complete lists, whose pages are requested when they are
/// needed. The methods throw the same exceptions as the methods that they call.
/// </summary>
public static class EmbeddingsClientExtensions
{
    /// <summary>Embeds one whole image.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="encoded">
    /// Content of a JPEG, PNG, WebP, GIF, TIFF, or AVIF file. Not copied: do not modify it before the call completes.
    /// </param>
    /// <param name="model">Name of an image model. If empty, the server's default image model is used.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<EmbedImageResponse> EmbedImageAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> encoded,
        string model = "",
        CancellationToken cancellationToken = default) =>
        client.EmbedImageAsync(new EmbedImageRequest { Image = Encoded(encoded), Model = model }, cancellationToken);

    /// <summary>Embeds one face. The vector has an L2 norm of 1.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="encoded">
    /// Encoded face crop or, with <paramref name="landmarks"/>, any image that contains the face. Not copied: do not
    /// modify it before the call completes.
    /// </param>
    /// <param name="model">Name of a face model. If empty, the server's default face model is used.</param>
    /// <param name="landmarks">
    /// Landmarks used to align the face, in pixels of the image, or null if the image is an aligned crop.
    /// </param>
    /// <param name="aligned">
    /// Whether the image is an aligned crop, whatever its size and shape. Otherwise an image without landmarks that is
    /// plainly a whole photo is rejected: use <see cref="EmbedFacesAsync"/> for photos.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<EmbedFaceResponse> EmbedFaceAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> encoded,
        string model = "",
        FaceLandmarks? landmarks = null,
        bool aligned = false,
        CancellationToken cancellationToken = default)
    {
        var face = new FaceCrop { Image = Encoded(encoded), Landmarks = landmarks, Aligned = aligned };
        return client.EmbedFaceAsync(new EmbedFaceRequest { Face = face, Model = model }, cancellationToken);
    }

    /// <summary>Embeds one whole image and stores its vector with the point id <paramref name="jobId"/>.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="jobId">Job that the image belongs to; 1 to 512 bytes.</param>
    /// <param name="encoded">Content of an image file. Not copied: do not modify it before the call completes.</param>
    /// <param name="mediaStoreId">Media item that the image belongs to; at most 512 bytes.</param>
    /// <param name="collection">Name of the collection. If empty, <c>image_embeddings</c> is used.</param>
    /// <param name="attributes">
    /// User-defined attributes by name, or null for none. See <see cref="AttributesExtensions.ToStruct"/>.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="ArgumentException">An attribute has a type or a value that cannot be stored.</exception>
    public static Task<IngestImageResponse> IngestImageAsync(
        this EmbeddingsClient client,
        string jobId,
        ReadOnlyMemory<byte> encoded,
        string mediaStoreId = "",
        string collection = "",
        IReadOnlyDictionary<string, object?>? attributes = null,
        CancellationToken cancellationToken = default)
    {
        var item = new ImageItem
        {
            JobId = jobId,
            MediaStoreId = mediaStoreId,
            Image = Encoded(encoded),
            Attributes = attributes?.ToStruct(),
        };
        return client.IngestImageAsync(new IngestImageRequest { Item = item, Collection = collection }, cancellationToken);
    }

    /// <summary>Finds the faces in a photo, with landmarks and quality.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="encoded">Content of an image file. Not copied: do not modify it before the call completes.</param>
    /// <param name="options">Faces to keep, or null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<DetectFacesResponse> DetectFacesAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> encoded,
        FaceOptions? options = null,
        CancellationToken cancellationToken = default) =>
        client.DetectFacesAsync(new DetectFacesRequest { Photo = Encoded(encoded), Options = options }, cancellationToken);

    /// <summary>Finds the faces in a photo and embeds each.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="encoded">Content of an image file. Not copied: do not modify it before the call completes.</param>
    /// <param name="options">Faces to keep, or null for the defaults.</param>
    /// <param name="model">Name of a face model. If empty, the server's default face model is used.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<EmbedFacesResponse> EmbedFacesAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> encoded,
        FaceOptions? options = null,
        string model = "",
        CancellationToken cancellationToken = default)
    {
        var request = new EmbedFacesRequest { Photo = Encoded(encoded), Options = options, Model = model };
        return client.EmbedFacesAsync(request, cancellationToken);
    }

    /// <summary>Compares each face of one photo with each face of another.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="first">Content of an image file. Not copied: do not modify it before the call completes.</param>
    /// <param name="second">Content of another image file.</param>
    /// <param name="threshold">
    /// Similarity from which two faces show the same person, from -1 to 1, or null for that of the model.
    /// </param>
    /// <param name="options">Faces to keep of each photo, or null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<CompareFacesResponse> CompareFacesAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> first,
        ReadOnlyMemory<byte> second,
        float? threshold = null,
        FaceOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var request = new CompareFacesRequest { First = Encoded(first), Second = Encoded(second), Options = options };
        if (threshold is { } from)
        {
            request.Threshold = from;
        }

        return client.CompareFacesAsync(request, cancellationToken);
    }

    /// <summary>Finds the persons of a collection that each face of a photo probably shows.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="encoded">Content of an image file. Not copied: do not modify it before the call completes.</param>
    /// <param name="collection">
    /// Name of the collection with the known faces. If empty, <c>face_embeddings</c> is used.
    /// </param>
    /// <param name="threshold">
    /// Similarity from which a face shows a person, from -1 to 1, or null for that of the model.
    /// </param>
    /// <param name="options">Faces to keep, or null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<IdentifyFacesResponse> IdentifyFacesAsync(
        this EmbeddingsClient client,
        ReadOnlyMemory<byte> encoded,
        string collection = "",
        float? threshold = null,
        FaceOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var request = new IdentifyFacesRequest { Photo = Encoded(encoded), Collection = collection, Options = options };
        if (threshold is { } from)
        {
            request.Threshold = from;
        }

        return client.IdentifyFacesAsync(request, cancellationToken);
    }

    /// <summary>
    /// Finds the faces in a photo, embeds them, and stores them with the point ids <c>job_id-face_index</c>.
    /// </summary>
    /// <param name="client">Client to use.</param>
    /// <param name="jobId">Job that the photo belongs to; 1 to 512 bytes. Ingesting it again replaces its faces.</param>
    /// <param name="encoded">Content of an image file. Not copied: do not modify it before the call completes.</param>
    /// <param name="mediaStoreId">Media item that the photo belongs to; at most 512 bytes.</param>
    /// <param name="collection">Name of the collection. If empty, <c>face_embeddings</c> is used.</param>
    /// <param name="attributes">
    /// User-defined attributes of each face by name, or null for none. See <see cref="AttributesExtensions.ToStruct"/>.
    /// </param>
    /// <param name="options">Faces to keep, or null for the defaults.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="ArgumentException">An attribute has a type or a value that cannot be stored.</exception>
    public static Task<IngestPhotoResponse> IngestPhotoAsync(
        this EmbeddingsClient client,
        string jobId,
        ReadOnlyMemory<byte> encoded,
        string mediaStoreId = "",
        string collection = "",
        IReadOnlyDictionary<string, object?>? attributes = null,
        FaceOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        var item = new PhotoItem
        {
            JobId = jobId,
            MediaStoreId = mediaStoreId,
            Photo = Encoded(encoded),
            Attributes = attributes?.ToStruct(),
            Options = options,
        };
        return client.IngestPhotoAsync(new IngestPhotoRequest { Item = item, Collection = collection }, cancellationToken);
    }

    /// <summary>Names the person of some faces.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="person">Name of the person; 1 to 256 bytes.</param>
    /// <param name="pointIds">Points of the faces, 1 to 10,000.</param>
    /// <param name="collection">Name of the collection. If empty, <c>face_embeddings</c> is used.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<NamePersonResponse> NamePersonAsync(
        this EmbeddingsClient client,
        string person,
        IEnumerable<string> pointIds,
        string collection = "",
        CancellationToken cancellationToken = default)
    {
        var request = new NamePersonRequest { Person = person, PointIds = { pointIds }, Collection = collection };
        return client.NamePersonAsync(request, cancellationToken);
    }

    /// <summary>Merges persons into one.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="persons">Names of the persons to merge, 1 to 100.</param>
    /// <param name="into">Name of the person that gets all faces; 1 to 256 bytes.</param>
    /// <param name="collection">Name of the collection. If empty, <c>face_embeddings</c> is used.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<MergePersonsResponse> MergePersonsAsync(
        this EmbeddingsClient client,
        IEnumerable<string> persons,
        string into,
        string collection = "",
        CancellationToken cancellationToken = default)
    {
        var request = new MergePersonsRequest { Persons = { persons }, Into = into, Collection = collection };
        return client.MergePersonsAsync(request, cancellationToken);
    }

    /// <summary>Moves some faces of a person to another name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="person">Name of the person.</param>
    /// <param name="pointIds">Points of the faces to move, 1 to 10,000.</param>
    /// <param name="newPerson">New name of these faces. If empty, they become unnamed.</param>
    /// <param name="collection">Name of the collection. If empty, <c>face_embeddings</c> is used.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<SplitPersonResponse> SplitPersonAsync(
        this EmbeddingsClient client,
        string person,
        IEnumerable<string> pointIds,
        string newPerson = "",
        string collection = "",
        CancellationToken cancellationToken = default)
    {
        var request = new SplitPersonRequest
        {
            Person = person,
            PointIds = { pointIds },
            NewPerson = newPerson,
            Collection = collection,
        };
        return client.SplitPersonAsync(request, cancellationToken);
    }

    /// <summary>Undoes a change of persons.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="changeId">Id of the change.</param>
    /// <param name="collection">Name of the collection. If empty, <c>face_embeddings</c> is used.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static Task<UndoPersonChangeResponse> UndoPersonChangeAsync(
        this EmbeddingsClient client,
        string changeId,
        string collection = "",
        CancellationToken cancellationToken = default)
    {
        var request = new UndoPersonChangeRequest { ChangeId = changeId, Collection = collection };
        return client.UndoPersonChangeAsync(request, cancellationToken);
    }

    /// <summary>Enumerates all persons of a collection, sorted by name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection. If empty, <c>face_embeddings</c> is used.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<Person> ListAllPersonsAsync(
        this EmbeddingsClient client, string collection = "", CancellationToken cancellationToken = default) =>
        PagesAsync(
            "",
            async (token, cancel) =>
            {
                var request = new ListPersonsRequest { Collection = collection, PageToken = token };
                var response = await client.ListPersonsAsync(request, cancel).ConfigureAwait(false);
                return (response.Persons, response.NextPageToken);
            },
            cancellationToken);

    /// <summary>Returns one stored point with its vector and payload.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="pointId">Id of the point.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<VectorPoint> GetVectorAsync(
        this EmbeddingsClient client, string collection, string pointId, CancellationToken cancellationToken = default)
    {
        var request = new GetVectorRequest { Collection = collection, PointId = pointId };
        return (await client.GetVectorAsync(request, cancellationToken).ConfigureAwait(false)).Point;
    }

    /// <summary>Returns the exact number of points.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="filter">Filter that the points must match, or null for all points.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<long> CountVectorsAsync(
        this EmbeddingsClient client,
        string collection,
        Filter? filter = null,
        CancellationToken cancellationToken = default)
    {
        var request = new CountVectorsRequest { Collection = collection, Filter = filter };
        return (await client.CountVectorsAsync(request, cancellationToken).ConfigureAwait(false)).Count;
    }

    /// <summary>Returns the points nearest to a vector, best first.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="vector">
    /// Query vector, with one value per dimension of the collection. All values must be finite, and not all may be 0.
    /// </param>
    /// <param name="limit">Maximum number of points to return, from 1 to 1,000.</param>
    /// <param name="filter">Filter that the points must match, or null for all points.</param>
    /// <param name="scoreThreshold">
    /// Minimum cosine similarity of the points to return, from -1 to 1, or null for no minimum.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<IReadOnlyList<ScoredPoint>> SearchVectorsAsync(
        this EmbeddingsClient client,
        string collection,
        ReadOnlyMemory<float> vector,
        int limit = 10,
        Filter? filter = null,
        float? scoreThreshold = null,
        CancellationToken cancellationToken = default)
    {
        var query = new SearchQuery { Vector = new QueryVector() };
        query.Vector.Values.AddRange(vector.ToArray());
        var request = new SearchVectorsRequest
        {
            Collection = collection,
            Queries = { query },
            Limit = limit,
            Filter = filter,
        };
        if (scoreThreshold is { } threshold)
        {
            request.ScoreThreshold = threshold;
        }

        return (await client.SearchVectorsAsync(request, cancellationToken).ConfigureAwait(false)).Results[0].Points;
    }

    /// <summary>Deletes all points of a job.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="jobId">Job to delete; 1 to 512 bytes.</param>
    /// <param name="collection">Name of the collection. If empty, the points are deleted from all collections.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>Number of points deleted.</returns>
    public static async Task<long> DeleteByJobIdAsync(
        this EmbeddingsClient client, string jobId, string collection = "", CancellationToken cancellationToken = default)
    {
        var request = new DeleteByJobIdRequest { JobId = jobId, Collection = collection };
        return (await client.DeleteByJobIdAsync(request, cancellationToken).ConfigureAwait(false)).DeletedCount;
    }

    /// <summary>
    /// Enumerates all matching points. Each point is returned once if nothing is written during the enumeration.
    /// </summary>
    /// <param name="client">Client to use.</param>
    /// <param name="request">
    /// Collection, filter, page size, and, in <c>page_token</c>, the page to start from. Not modified.
    /// </param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<VectorPoint> ListAllVectorsAsync(
        this EmbeddingsClient client, ListVectorsRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return PagesAsync(
            request.PageToken,
            async (token, cancel) =>
            {
                var page = request.Clone();
                page.PageToken = token;
                var response = await client.ListVectorsAsync(page, cancel).ConfigureAwait(false);
                return (response.Points, response.NextPageToken);
            },
            cancellationToken);
    }

    /// <summary>Enumerates all points of a collection, with or without their vectors.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="filter">Filter that the points must match, or null for all points.</param>
    /// <param name="withVectors">Whether the points include their vectors.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<VectorPoint> ListAllVectorsAsync(
        this EmbeddingsClient client,
        string collection,
        Filter? filter = null,
        bool withVectors = false,
        CancellationToken cancellationToken = default)
    {
        var request = new ListVectorsRequest { Collection = collection, Filter = filter, WithVectors = withVectors };
        return client.ListAllVectorsAsync(request, cancellationToken);
    }

    /// <summary>Enumerates all models of the server, sorted by name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<Model> ListAllModelsAsync(
        this EmbeddingsClient client, CancellationToken cancellationToken = default) =>
        PagesAsync(
            "",
            async (token, cancel) =>
            {
                var request = new ListModelsRequest { PageToken = token };
                var response = await client.ListModelsAsync(request, cancel).ConfigureAwait(false);
                return (response.Models, response.NextPageToken);
            },
            cancellationToken);

    /// <summary>Enumerates all collections, sorted by name.</summary>
    /// <param name="client">Client to use.</param>
    /// <param name="cancellationToken">Cancels the enumeration.</param>
    public static IAsyncEnumerable<Collection> ListAllCollectionsAsync(
        this EmbeddingsClient client, CancellationToken cancellationToken = default) =>
        PagesAsync(
            "",
            async (token, cancel) =>
            {
                var request = new ListCollectionsRequest { PageToken = token };
                var response = await client.ListCollectionsAsync(request, cancel).ConfigureAwait(false);
                return (response.Collections, response.NextPageToken);
            },
            cancellationToken);

    /// <summary>Returns the exception that a unary call with the same error would throw.</summary>
    /// <param name="error">Error of a stream item.</param>
    public static EmbeddingsException ToException(this ItemError error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new EmbeddingsException((StatusCode)error.Code, error.Reason, error.Message, error.Field);
    }

    internal static async IAsyncEnumerable<T> PagesAsync<T>(
        string token,
        Func<string, CancellationToken, Task<(RepeatedField<T> Items, string Next)>> list,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        do
        {
            var (items, next) = await list(token, cancellationToken).ConfigureAwait(false);
            foreach (var item in items)
            {
                yield return item;
            }

            // Would be an infinite loop.
            token = next.Length == 0 || next != token
                ? next
                : throw new EmbeddingsException(
                    StatusCode.Internal,
                    "PROTOCOL_VIOLATION",
                    "The server returned the token of the current page as the next page token.");
        }
        while (token.Length > 0);
    }

    private static Image Encoded(ReadOnlyMemory<byte> encoded) =>
        new() { Encoded = UnsafeByteOperations.UnsafeWrap(encoded) };
}
