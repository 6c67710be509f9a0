using Embeddings.Server.Grpc.Mapping;
using Embeddings.Server.Privacy;
using Embeddings.Server.Security;
using Embeddings.Storage;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Stores, searches, lists, and deletes vectors.</summary>
internal sealed class VectorStoreServiceImpl(
    IVectorStore store,
    UpsertHandler upserts,
    SearchHandler searches,
    DeletionHandler deletions,
    CollectionHandler collections,
    AttributeHandler attributes,
    ResponseBudget budget)
    : V1.VectorStoreService.VectorStoreServiceBase
{
    /// <summary>Maximum number of ids in a call of GetVectors.</summary>
    public const int MaxIds = 1000;

    private const int MaxPageSize = 1000;
    private const int DefaultPageSize = 100;

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

    public override async Task<V1.GetVectorsResponse> GetVectors(V1.GetVectorsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        Require.NotEmpty(request.PointIds.Count, "point_ids", MaxIds);
        List<string> ids =
        [
            .. request.PointIds
                .Select((id, i) => Require.Text(id, $"point_ids[{i}]", Require.MaxPointIdBytes))
                .Distinct(StringComparer.Ordinal),
        ];
        var withPayload = !request.HasWithPayload || request.WithPayload;
        var points = await store.GetAsync(
            collection,
            ids,
            withPayload,
            !request.HasWithVectors || request.WithVectors,
            budget.Lease(context),
            context.CancellationToken);
        var found = points.Select(point => point.Id).ToHashSet(StringComparer.Ordinal);
        return new()
        {
            Points = { points.Select(point => PointMapping.ToContract(point, withPayload, request.VectorsAsBytes)) },
            MissingPointIds = { ids.Where(id => !found.Contains(id)) },
        };
    }

    public override Task<V1.SetAttributesResponse> SetAttributes(V1.SetAttributesRequest request, ServerCallContext context) =>
        attributes.SetAsync(request, context);

    public override Task<V1.CreateCollectionResponse> CreateCollection(
        V1.CreateCollectionRequest request, ServerCallContext context) =>
        collections.CreateAsync(request, context);

    public override Task<V1.GetCollectionResponse> GetCollection(V1.GetCollectionRequest request, ServerCallContext context) =>
        collections.GetAsync(request, context);

    public override Task<V1.UpdateCollectionResponse> UpdateCollection(
        V1.UpdateCollectionRequest request, ServerCallContext context) =>
        collections.UpdateAsync(request, context);

    public override Task<V1.UpdateAliasesResponse> UpdateAliases(V1.UpdateAliasesRequest request, ServerCallContext context) =>
        collections.UpdateAliasesAsync(request, context);

    public override Task<V1.ListAliasesResponse> ListAliases(V1.ListAliasesRequest request, ServerCallContext context) =>
        collections.ListAliasesAsync(request, context);

    public override Task<V1.DeleteVectorsResponse> DeleteVectors(V1.DeleteVectorsRequest request, ServerCallContext context) =>
        deletions.DeleteAsync(request, context);

    public override Task<V1.DeleteByJobIdResponse> DeleteByJobId(V1.DeleteByJobIdRequest request, ServerCallContext context) =>
        deletions.DeleteAsync(request, context);

    public override Task<V1.DeleteCollectionResponse> DeleteCollection(
        V1.DeleteCollectionRequest request, ServerCallContext context) =>
        deletions.DeleteAsync(request, context);

    public override Task<V1.SetLegalHoldResponse> SetLegalHold(V1.SetLegalHoldRequest request, ServerCallContext context) =>
        deletions.SetHoldAsync(request, context);

    public override async Task<V1.CountVectorsResponse> CountVectors(V1.CountVectorsRequest request, ServerCallContext context) => new()
    {
        Count = await store.CountAsync(
            Require.Collection(request.Collection), FilterMapping.ToStored(request.Filter), context.CancellationToken),
    };

    public override async Task<V1.ListVectorsResponse> ListVectors(V1.ListVectorsRequest request, ServerCallContext context)
    {
        var collection = Require.Collection(request.Collection);
        var filter = FilterMapping.ToStored(request.Filter);
        var size = Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize);
        var order = await CollectionMapping.ToOrderAsync(request.OrderBy, IndexedAsync, collection);
        var page = order is null
            ? await store.ListAsync(collection, filter, size, request.PageToken, request.WithVectors, context.CancellationToken)
            : await store.ListAsync(
                collection, filter, order, size, request.PageToken, request.WithVectors, context.CancellationToken);
        budget.Lease(context).Hold(page.Points.Sum(PointSize.Of));
        return new() { Points = { page.Points.Select(point => PointMapping.ToContract(point, vectorAsBytes: request.VectorsAsBytes)) }, NextPageToken = page.NextPageToken };

        async ValueTask<IReadOnlyList<IndexedAttribute>> IndexedAsync() =>
            (await store.ReadCollectionAsync(collection, context.CancellationToken))?.IndexedAttributes
            ?? throw CollectionFaults.NotFound(collection);
    }

    public override async Task<V1.ListCollectionsResponse> ListCollections(V1.ListCollectionsRequest request, ServerCallContext context)
    {
        var size = Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize);
        var caller = Caller.Of(context.GetHttpContext());
        var all = await store.ListCollectionsAsync(context.CancellationToken);
        List<CollectionInfo> covered = [.. all.Where(collection => caller.Covers(collection.Name))];
        var (page, next) = NamePages.Take(
            "collections",
            covered,
            collection => collection.Name,
            collection => CollectionMapping.ToContract(collection),
            size,
            request.PageToken);
        return new() { Collections = { page }, NextPageToken = next };
    }
}
