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

    /// <summary>Maximum number of positive examples of a query, and of negative ones.</summary>
    public const int MaxExamples = 64;

    private const int MaxLimit = 1000;
    private const int DefaultLimit = 10;
    private const int MaxOffset = 10_000;

    // Stored points that are read at a time, over all calls: a call may have thousands of examples.
    private const int MaxLookups = 64;

    private static readonly SemaphoreSlim Lookups = new(MaxLookups);

    public async Task<V1.SearchVectorsResponse> SearchAsync(V1.SearchVectorsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        Require.NotEmpty(request.Queries.Count, "queries", MaxQueries);
        var spec = new SearchSpec
        {
            Limit = Require.Count(request.Limit, "limit", DefaultLimit, MaxLimit),
            Offset = Require.InRange(request.Offset, "offset", 0, MaxOffset),
            GroupBy = GroupMapping.ToStored(request.GroupBy),
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
            if (query.QueryCase == V1.SearchQuery.QueryOneofCase.Examples)
            {
                return await ResolveAsync(collection, query.Examples, query.Model, cancellationToken);
            }
            var item = await ResolveAsync(collection, QueryItem.Of(query), query.Model, cancellationToken);
            return (item.PointId is { } id ? new(item.Vector, id) : new(item.Vector), item.Embedded);
        }
        catch (Fault fault)
        {
            throw fault.Within(path);
        }
    }

    private async Task<(VectorQuery Vector, EmbedResult? Embedded)> ResolveAsync(
        CollectionInfo collection, V1.ExampleQuery query, string model, CancellationToken cancellationToken)
    {
        Require.NotEmpty(query.Positive.Count, "examples.positive", MaxExamples);
        Require.AtMost(query.Negative.Count, "examples.negative", MaxExamples);
        var items = query.Positive.Select((example, i) => (example, $"examples.positive[{i}]"))
            .Concat(query.Negative.Select((example, i) => (example, $"examples.negative[{i}]")));
        // Each stored point is read once.
        var points = new Dictionary<string, Task<ResolvedItem>>(StringComparer.Ordinal);
        var resolved = await Task.WhenAll(items.Select(item => ResolveExampleAsync(item.example, item.Item2)));
        var vectors = resolved.Select(item => item.Vector).ToList();
        var combined = ExampleVectors.Combine(vectors[..query.Positive.Count], vectors[query.Positive.Count..])
            ?? throw Fault.Invalid(
                Reasons.VectorZero,
                "examples",
                "examples must not cancel each other out: their combination is a vector without a direction. Use other examples.");
        var excluded = resolved.Select(item => item.PointId).OfType<string>().ToHashSet(StringComparer.Ordinal);
        return (
            new(combined, excluded.Count > 0 ? excluded : null),
            resolved.Select(item => item.Embedded).OfType<EmbedResult>().MaxBy(item => item.Queued + item.Preprocessed + item.Ran));

        async Task<ResolvedItem> ResolveExampleAsync(V1.Example example, string path)
        {
            try
            {
                var item = QueryItem.Of(example);
                if (item.PointId is not { } id)
                {
                    return await ResolveAsync(collection, item, model, cancellationToken);
                }
                if (!points.TryGetValue(id, out var point))
                {
                    points.Add(id, point = ResolveAsync(collection, item, model, cancellationToken));
                }
                return await point;
            }
            catch (Fault fault)
            {
                throw fault.Within(path);
            }
        }
    }

    private async Task<ResolvedItem> ResolveAsync(
        CollectionInfo collection, QueryItem item, string model, CancellationToken cancellationToken)
    {
        if (item.Vector is { } values)
        {
            var vector = PointMapping.ToVector(values.Values, values.ValuesF32, "vector.values");
            Require.Dimension(vector.Length, collection.Dimension, "vector.values", $"collection '{collection.Name}'");
            return new(vector);
        }
        if (item.PointId is { } given)
        {
            var id = Require.Text(given, "point_id", Require.MaxPointIdBytes);
            await Lookups.WaitAsync(cancellationToken);
            try
            {
                var point = await store.GetAsync(collection.Name, id, cancellationToken)
                    ?? throw CollectionFaults.PointNotFound(collection.Name, id);
                return new(point.Vector, id);
            }
            finally
            {
                Lookups.Release();
            }
        }
        var request = item switch
        {
            { Image: { } image } => EmbeddingMapping.ToRequest(image, model, wait: false, path: ""),
            { Face: { } face } => EmbeddingMapping.ToRequest(face, model, wait: false, path: "face"),
            _ => throw Require.Missing(item.Field),
        };
        var result = await pipeline.EmbedAsync(request, cancellationToken);
        collection.Spec.Adopts(Collections.SpecFor(collection.Name, result.Model));
        return new(result.Vector, Embedded: result);
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

/// <summary>The content of a query or of one of its examples: one of the four is not null.</summary>
/// <param name="Field">The name of the field that has it, for errors.</param>
internal sealed record QueryItem(string Field)
{
    public V1.QueryVector? Vector { get; private init; }

    public V1.Image? Image { get; private init; }

    public V1.FaceCrop? Face { get; private init; }

    public string? PointId { get; private init; }

    public static QueryItem Of(V1.SearchQuery query) => new("query")
    {
        Vector = query.Vector,
        Image = query.Image,
        Face = query.Face,
        PointId = query.HasPointId ? query.PointId : null,
    };

    public static QueryItem Of(V1.Example example) => new("example")
    {
        Vector = example.Vector,
        Image = example.Image,
        Face = example.Face,
        PointId = example.HasPointId ? example.PointId : null,
    };
}

/// <summary>The vector of a query or an example.</summary>
/// <param name="Vector">The vector.</param>
/// <param name="PointId">The point whose vector it is, or null.</param>
/// <param name="Embedded">The result of the model, or null.</param>
internal sealed record ResolvedItem(ReadOnlyMemory<float> Vector, string? PointId = null, EmbedResult? Embedded = null);
