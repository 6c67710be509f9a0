using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Searching: 1. each query becomes a vector (pictures are embedded, side by side, so that they share a batch), 2. one pass of the store answers all of them.
/// </summary>
internal sealed class SearchHandler(EmbeddingPipeline pipeline, IVectorStore store, TimeProvider time)
{
    private const int MaxQueries = 64;
    private const int MaxLimit = 1000;
    private const int DefaultLimit = 10;

    public async Task<V1.SearchVectorsResponse> SearchAsync(V1.SearchVectorsRequest request, CancellationToken cancellationToken)
    {
        var collection = Require.Collection(request.Collection);
        if (request.Queries.Count is 0 or > MaxQueries)
        {
            throw Fault.Invalid(
                request.Queries.Count == 0 ? Reasons.FieldRequired : Reasons.FieldTooLong, "queries", $"queries must have 1 to {MaxQueries} queries; it has {request.Queries.Count}");
        }
        var spec = new SearchSpec
        {
            Limit = Require.Count(request.Limit, "limit", DefaultLimit, MaxLimit),
            ScoreThreshold = request.HasScoreThreshold ? Threshold(request.ScoreThreshold) : null,
            Filter = FilterMapping.ToStored(request.Filter),
            WithPayload = !request.HasWithPayload || request.WithPayload,
            WithVectors = request.WithVectors,
            Exact = request.Params?.Exact ?? false,
            HnswEf = request.Params is { HasHnswEf: true } parameters ? HnswEf(parameters.HnswEf) : null,
        };
        var queries = request.Queries.Select((query, i) => (query, $"queries[{i}]")).ToList();
        return new() { Results = { await SearchAsync(collection, queries, spec, cancellationToken) } };
    }

    public async Task<V1.SearchByMediaStoreIdResponse> SearchAsync(V1.SearchByMediaStoreIdRequest request, CancellationToken cancellationToken)
    {
        var collection = Require.Collection(request.Collection, Collections.Faces);
        var spec = new SearchSpec
        {
            Limit = Require.Count(request.Limit, "limit", DefaultLimit, MaxLimit),
            ScoreThreshold = request.HasScoreThreshold ? Threshold(request.ScoreThreshold) : null,
            Filter = new() { MediaStoreId = Require.Text(request.MediaStoreId, "media_store_id", Require.MaxIdBytes) },
            WithPayload = !request.HasWithPayload || request.WithPayload,
            WithVectors = request.WithVectors,
        };
        var query = request.Query ?? throw Require.Missing("query");
        return new() { Result = (await SearchAsync(collection, [(query, "query")], spec, cancellationToken))[0] };
    }

    private async Task<V1.SearchResult[]> SearchAsync(
        string collection, IReadOnlyList<(V1.SearchQuery Query, string Path)> queries, SearchSpec spec, CancellationToken cancellationToken)
    {
        var info = await store.FindCollectionAsync(collection, cancellationToken) ?? throw CollectionFaults.NotFound(collection);
        var resolved = await Task.WhenAll(queries.Select(query => ResolveAsync(info, query.Query, query.Path, cancellationToken)));

        var began = time.GetTimestamp();
        var found = await store.SearchAsync(collection, [.. resolved.Select(query => query.Vector)], spec, cancellationToken);
        var took = time.GetElapsedTime(began);
        return
        [
            .. found.Zip(resolved, (points, query) => new V1.SearchResult
            {
                Points = { points.Select(point => new V1.ScoredPoint { Score = point.Score, Point = VectorMapping.ToContract(point.Point, spec.WithPayload) }) },
                Timings = query.Embedded is { } embedded ? TimingsMapping.ToTimings(embedded, took) : TimingsMapping.ToTimings(took),
            }),
        ];
    }

    private async Task<(VectorQuery Vector, EmbedResult? Embedded)> ResolveAsync(CollectionInfo collection, V1.SearchQuery query, string path, CancellationToken cancellationToken)
    {
        try
        {
            switch (query.QueryCase)
            {
                case V1.SearchQuery.QueryOneofCase.Vector:
                    var vector = VectorMapping.ToVector(query.Vector.Values, "vector.values");
                    return vector.Length == collection.Dimension
                        ? (new(vector), null)
                        : throw Fault.Invalid(
                            Reasons.DimensionMismatch, "vector.values", $"vectors in collection '{collection.Name}' have {collection.Dimension} numbers, this one has {vector.Length}");
                case V1.SearchQuery.QueryOneofCase.PointId:
                    var id = Require.Text(query.PointId, "point_id", Require.MaxPointIdBytes);
                    var point = await store.GetAsync(collection.Name, id, cancellationToken) ?? throw CollectionFaults.PointNotFound(collection.Name, id);
                    return (new(point.Vector, ExcludeId: id), null);
                case V1.SearchQuery.QueryOneofCase.Image:
                    return await EmbedAsync(collection, PictureMapping.ToRequest(query.Image, query.Model, wait: false, path: ""), cancellationToken);
                case V1.SearchQuery.QueryOneofCase.Face:
                    return await EmbedAsync(collection, PictureMapping.ToRequest(query.Face, query.Model, wait: false, path: "face"), cancellationToken);
                default:
                    throw Require.Missing("query");
            }
        }
        catch (Fault fault)
        {
            throw fault.Within(path);
        }
    }

    private async Task<(VectorQuery Vector, EmbedResult? Embedded)> EmbedAsync(CollectionInfo collection, EmbedRequest request, CancellationToken cancellationToken)
    {
        var result = await pipeline.EmbedAsync(request, cancellationToken);
        collection.Spec.Adopts(Collections.SpecFor(collection.Name, result.Model));
        return (new(result.Vector), result);
    }

    private static float Threshold(float value) =>
        value is >= -1 and <= 1 ? value : throw Fault.Invalid(Reasons.FieldInvalid, "score_threshold", $"score_threshold must be -1 to 1; it is {value}");

    private static int HnswEf(int value) =>
        value is >= 1 and <= 65_536 ? value : throw Fault.Invalid(Reasons.FieldInvalid, "params.hnsw_ef", $"params.hnsw_ef must be 1 to 65536; it is {value}");
}
