using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Searches a collection: 1. each query is resolved to a vector (images are embedded concurrently, so that they share a
/// batch), 2. one pass of the store answers all queries.
/// </summary>
internal sealed class SearchHandler(
    EmbeddingPipeline pipeline, ModelCatalog models, IVectorStore store, ResponseBudget budget, TimeProvider time)
{
    public const int MaxQueries = 64;
    private const int MaxLimit = 1000;
    private const int DefaultLimit = 10;

    public async Task<V1.SearchVectorsResponse> SearchAsync(V1.SearchVectorsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        Require.NotEmpty(request.Queries.Count, "queries", MaxQueries);
        var spec = new SearchSpec
        {
            Limit = Require.Count(request.Limit, "limit", DefaultLimit, MaxLimit),
            ScoreThreshold = Threshold(request.HasScoreThreshold, request.ScoreThreshold),
            Filter = FilterMapping.ToStored(request.Filter),
            WithPayload = !request.HasWithPayload || request.WithPayload,
            WithVectors = request.WithVectors,
            Exact = request.Params is { HasExact: true } search ? search.Exact : null,
            HnswEf = request.Params is { HasHnswEf: true } parameters
                ? Require.InRange(parameters.HnswEf, "params.hnsw_ef", 1, 65_536)
                : null,
            Lease = budget.Lease(context),
        };
        var queries = request.Queries.Select((query, i) => (query, $"queries[{i}]")).ToList();
        return new() { Results = { await SearchAsync(collection, queries, spec, context.CancellationToken) } };
    }

    public async Task<V1.SearchByMediaStoreIdResponse> SearchAsync(
        V1.SearchByMediaStoreIdRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var spec = new SearchSpec
        {
            Limit = Require.Count(request.Limit, "limit", DefaultLimit, MaxLimit),
            ScoreThreshold = Threshold(request.HasScoreThreshold, request.ScoreThreshold),
            Filter = new() { MediaStoreId = Require.Text(request.MediaStoreId, "media_store_id", Require.MaxIdBytes) },
            WithPayload = !request.HasWithPayload || request.WithPayload,
            WithVectors = request.WithVectors,
            Lease = budget.Lease(context),
        };
        var query = request.Query ?? throw Require.Missing("query");
        return new() { Result = (await SearchAsync(collection, [(query, "query")], spec, context.CancellationToken))[0] };
    }

    private async Task<V1.SearchResult[]> SearchAsync(
        string collection,
        IReadOnlyList<(V1.SearchQuery Query, string Path)> queries,
        SearchSpec spec,
        CancellationToken cancellationToken)
    {
        var info = await store.FindCollectionAsync(collection, cancellationToken) ?? throw CollectionFaults.NotFound(collection);
        var resolved = await Task.WhenAll(queries.Select(query => ResolveAsync(info, query.Query, query.Path, cancellationToken)));

        var began = time.GetTimestamp();
        var found = await store.SearchAsync(collection, [.. resolved.Select(query => query.Vector)], spec, cancellationToken);
        var took = time.GetElapsedTime(began);
        var threshold = SamePersonFrom(info);
        return
        [
            .. found.Zip(resolved, (points, query) => new V1.SearchResult
            {
                Points = { points.Select(point => PointMapping.ToContract(point, spec.WithPayload, threshold)) },
                Timings = query.Embedded is { } embedded
                    ? EmbeddingMapping.ToTimings(embedded, took)
                    : EmbeddingMapping.ToTimings(took),
            }),
        ];
    }

    private async Task<(VectorQuery Vector, EmbedResult? Embedded)> ResolveAsync(
        CollectionInfo collection, V1.SearchQuery query, string path, CancellationToken cancellationToken)
    {
        try
        {
            switch (query.QueryCase)
            {
                case V1.SearchQuery.QueryOneofCase.Vector:
                    var vector = PointMapping.ToVector(query.Vector.Values, query.Vector.ValuesF32, "vector.values");
                    Require.Dimension(vector.Length, collection.Dimension, "vector.values", $"collection '{collection.Name}'");
                    return (new(vector), null);
                case V1.SearchQuery.QueryOneofCase.PointId:
                    var id = Require.Text(query.PointId, "point_id", Require.MaxPointIdBytes);
                    var point = await store.GetAsync(collection.Name, id, cancellationToken)
                        ?? throw CollectionFaults.PointNotFound(collection.Name, id);
                    return (new(point.Vector, ExcludeId: id), null);
                case V1.SearchQuery.QueryOneofCase.Image:
                    var image = EmbeddingMapping.ToRequest(query.Image, query.Model, wait: false, path: "");
                    return await EmbedAsync(collection, image, cancellationToken);
                case V1.SearchQuery.QueryOneofCase.Face:
                    var face = EmbeddingMapping.ToRequest(query.Face, query.Model, wait: false, path: "face");
                    return await EmbedAsync(collection, face, cancellationToken);
                default:
                    throw Require.Missing("query");
            }
        }
        catch (Fault fault)
        {
            throw fault.Within(path);
        }
    }

    private async Task<(VectorQuery Vector, EmbedResult? Embedded)> EmbedAsync(
        CollectionInfo collection, EmbedRequest request, CancellationToken cancellationToken)
    {
        var result = await pipeline.EmbedAsync(request, cancellationToken);
        collection.Spec.Adopts(Collections.SpecFor(collection.Name, result.Model));
        return (new(result.Vector), result);
    }

    // The score from which two faces of the collection show the same person; null if it is not known.
    private float? SamePersonFrom(CollectionInfo collection) => collection.Spec.Model is { } maker
        ? models.All
            .Select(model => model.Info)
            .FirstOrDefault(model => model.Kind == ModelKind.Face && model.Fingerprint == maker.Fingerprint)?
            .Manifest.SuggestedThreshold
        : null;

    private static float? Threshold(bool isSet, float value) =>
        isSet ? Require.InRange(value, "score_threshold", -1, 1) : null;
}
