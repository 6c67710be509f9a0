using Embeddings.Primitives;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Hosting;
using Embeddings.Server.Security;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Stores, searches, lists, and deletes vectors.</summary>
internal sealed class VectorStoreServiceImpl(
    IVectorStore store,
    UpsertHandler upserts,
    SearchHandler searches,
    ResponseBudget budget,
    ILogger<VectorStoreServiceImpl> log)
    : V1.VectorStoreService.VectorStoreServiceBase
{
    private const int MaxPageSize = 1000;
    private const int DefaultPageSize = 100;
    public const int MaxDeletes = 10_000;

    public override Task<V1.UpsertVectorsResponse> UpsertVectors(V1.UpsertVectorsRequest request, ServerCallContext context) =>
        upserts.UpsertAsync(request, context.CancellationToken);

    public override Task StreamUpsertVectors(
        IAsyncStreamReader<V1.StreamUpsertVectorsRequest> requestStream,
        IServerStreamWriter<V1.StreamUpsertVectorsResponse> responseStream,
        ServerCallContext context) =>
        upserts.StreamAsync(requestStream, responseStream, context);

    public override Task<V1.SearchVectorsResponse> SearchVectors(V1.SearchVectorsRequest request, ServerCallContext context) =>
        searches.SearchAsync(request, context);

    public override Task<V1.SearchByMediaStoreIdResponse> SearchByMediaStoreId(
        V1.SearchByMediaStoreIdRequest request, ServerCallContext context) =>
        searches.SearchAsync(request, context);

    public override async Task<V1.GetVectorResponse> GetVector(V1.GetVectorRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var id = Require.Text(request.PointId, "point_id", Require.MaxPointIdBytes);
        var point = await store.GetAsync(collection, id, context.CancellationToken)
            ?? throw CollectionFaults.PointNotFound(collection, id);
        budget.Lease(context).Hold(PointSize.Of(point));
        return new() { Point = PointMapping.ToContract(point) };
    }

    public override async Task<V1.DeleteVectorsResponse> DeleteVectors(V1.DeleteVectorsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var filter = FilterMapping.ToStored(request.Filter);
        if (request.PointIds.Count > 0 == (request.Filter is not null))
        {
            throw Fault.Invalid(Reasons.FieldRequired, "point_ids", "Exactly one of point_ids and filter is required.");
        }
        if (request.Filter is not null)
        {
            // An empty filter matches everything; a collection must not be emptied by mistake.
            if (filter.IsEmpty)
            {
                throw Fault.Invalid(
                    Reasons.FieldRequired,
                    "filter",
                    "filter must have at least one condition; use DeleteCollection to delete all points.");
            }
            return new() { DeletedCount = await DeleteAsync(collection, filter, context) };
        }
        Require.NotEmpty(request.PointIds.Count, "point_ids", MaxDeletes);
        var ids = request.PointIds.Select((id, i) => Require.Text(id, $"point_ids[{i}]", Require.MaxPointIdBytes)).ToList();
        var deleted = await store.DeleteAsync(collection, ids, context.CancellationToken);
        ServerLog.PointsDeleted(log, context.Method, deleted, collection);
        return new() { DeletedCount = deleted };
    }

    public override async Task<V1.DeleteByJobIdResponse> DeleteByJobId(V1.DeleteByJobIdRequest request, ServerCallContext context)
    {
        var filter = new PointFilter { JobId = Require.Text(request.JobId, "job_id", Require.MaxIdBytes) };
        if (request.Collection.Length > 0)
        {
            return new() { DeletedCount = await DeleteAsync(Require.Collection(request.Collection), filter, context) };
        }
        var deleted = 0L;
        var caller = Caller.Of(context.GetHttpContext());
        try
        {
            foreach (var info in await store.ListCollectionsAsync(context.CancellationToken))
            {
                if (!caller.Covers(info.Name))
                {
                    continue;
                }
                try
                {
                    deleted += await store.DeleteAsync(info.Name, filter, context.CancellationToken);
                }
                catch (Fault fault) when (fault.Reason == Reasons.CollectionNotFound)
                {
                    // Another call has deleted the collection since it was listed, including the points of the job.
                }
            }
        }
        finally
        {
            // A call that fails may have deleted points of the first collections.
            ServerLog.PointsDeleted(log, context.Method, deleted, caller.CoversAll ? "all collections" : $"all collections of {caller.Name}");
        }
        return new() { DeletedCount = deleted };
    }

    public override async Task<V1.CountVectorsResponse> CountVectors(V1.CountVectorsRequest request, ServerCallContext context) => new()
    {
        Count = await store.CountAsync(
            Require.Collection(request.Collection), FilterMapping.ToStored(request.Filter), context.CancellationToken),
    };

    public override async Task<V1.ListVectorsResponse> ListVectors(V1.ListVectorsRequest request, ServerCallContext context)
    {
        var page = await store.ListAsync(
            Require.Collection(request.Collection),
            FilterMapping.ToStored(request.Filter),
            Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize),
            request.PageToken,
            request.WithVectors,
            context.CancellationToken);
        budget.Lease(context).Hold(page.Points.Sum(PointSize.Of));
        return new() { Points = { page.Points.Select(point => PointMapping.ToContract(point)) }, NextPageToken = page.NextPageToken };
    }

    public override async Task<V1.ListCollectionsResponse> ListCollections(V1.ListCollectionsRequest request, ServerCallContext context)
    {
        var size = Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize);
        var caller = Caller.Of(context.GetHttpContext());
        var all = await store.ListCollectionsAsync(context.CancellationToken);
        List<CollectionInfo> collections = [.. all.Where(collection => caller.Covers(collection.Name))];
        var (page, next) = NamePages.Take(
            "collections", collections, collection => collection.Name, ToContract, size, request.PageToken);
        return new() { Collections = { page }, NextPageToken = next };
    }

    public override async Task<V1.DeleteCollectionResponse> DeleteCollection(
        V1.DeleteCollectionRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var deleted = await store.DropCollectionAsync(collection, context.CancellationToken);
        ServerLog.CollectionDeleted(log, context.Method, collection, deleted);
        return new() { DeletedCount = deleted };
    }

    private async Task<long> DeleteAsync(string collection, PointFilter filter, ServerCallContext context)
    {
        var deleted = await store.DeleteAsync(collection, filter, context.CancellationToken);
        ServerLog.PointsDeleted(log, context.Method, deleted, collection);
        return deleted;
    }

    private static V1.Collection ToContract(CollectionInfo collection) => new()
    {
        Name = collection.Name,
        Dimension = collection.Dimension,
        PointCount = collection.Count,
        Model = collection.Model?.Name ?? "",
        ModelFingerprint = collection.Model?.Fingerprint ?? "",
    };
}
