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
    ResponseBudget budget)
    : V1.VectorStoreService.VectorStoreServiceBase
{
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
        var page = await store.ListAsync(
            Require.Collection(request.Collection),
            FilterMapping.ToStored(request.Filter),
            Require.Count(request.PageSize, "page_size", DefaultPageSize, MaxPageSize),
            request.PageToken,
            request.WithVectors,
            context.CancellationToken);
        budget.Lease(context).Hold(page.Points.Sum(PointSize.Of));
        return new() { Points = { page.Points.Select(point => PointMapping.ToContract(point, vectorAsBytes: request.VectorsAsBytes)) }, NextPageToken = page.NextPageToken };
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

    private static V1.Collection ToContract(CollectionInfo collection) => new()
    {
        Name = collection.Name,
        Dimension = collection.Dimension,
        PointCount = collection.Count,
        Model = collection.Model?.Name ?? "",
        ModelFingerprint = collection.Model?.Fingerprint ?? "",
    };
}
