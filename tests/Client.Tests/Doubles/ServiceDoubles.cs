using System.Globalization;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

internal sealed class EmbeddingDouble(Behaviour behaviour) : EmbeddingService.EmbeddingServiceBase
{
    public override async Task<EmbedImageResponse> EmbedImage(EmbedImageRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("EmbedImage");
        await behaviour.OnUnary("EmbedImage", context);
        var embedding = new Embedding { Model = request.Model, Values = { request.Image?.Encoded.Length ?? 0 } };
        return new EmbedImageResponse { Embedding = embedding };
    }

    public override async Task<EmbedFaceResponse> EmbedFace(EmbedFaceRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("EmbedFace");
        await behaviour.OnUnary("EmbedFace", context);
        return new EmbedFaceResponse { Embedding = new Embedding { Model = request.Model, UnitLength = true } };
    }

    public override Task StreamEmbed(
        IAsyncStreamReader<StreamEmbedRequest> requestStream,
        IServerStreamWriter<StreamEmbedResponse> responseStream,
        ServerCallContext context) =>
        behaviour.OnStreamEmbed(requestStream, responseStream, context);
}

internal sealed class IngestDouble(Behaviour behaviour) : IngestService.IngestServiceBase
{
    public override Task<IngestImageResponse> IngestImage(IngestImageRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("IngestImage");
        behaviour.Attributes = request.Item?.Attributes;
        var ack = new IngestAck { PointId = request.Item?.JobId ?? "", Collection = request.Collection };
        return Task.FromResult(new IngestImageResponse { Ack = ack });
    }

    public override Task<IngestFaceResponse> IngestFace(IngestFaceRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("IngestFace");
        var ack = new IngestAck { PointId = $"{request.Item?.JobId}-{request.Item?.FaceIndex}" };
        return Task.FromResult(new IngestFaceResponse { Ack = ack });
    }

    public override Task<IngestPhotoResponse> IngestPhoto(IngestPhotoRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("IngestPhoto");
        behaviour.LastRequest = request;
        return Task.FromResult(new IngestPhotoResponse { Ack = Ack(request.Item) });
    }

    public override async Task StreamIngest(
        IAsyncStreamReader<StreamIngestRequest> requestStream,
        IServerStreamWriter<StreamIngestResponse> responseStream,
        ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadItemsAsync(context.CancellationToken))
        {
            var response = new StreamIngestResponse { ItemId = request.ItemId };
            if (request.Photo is { } photo)
            {
                response.PhotoAck = Ack(photo);
            }
            else
            {
                response.Ack = new IngestAck { PointId = request.Image.JobId };
            }

            await responseStream.WriteAsync(response);
        }
    }

    private static PhotoAck Ack(PhotoItem? item) => new() { Faces = { new StoredFace { PointId = $"{item?.JobId}-0" } } };
}

internal sealed class FacesDouble(Behaviour behaviour) : FaceService.FaceServiceBase
{
    public override Task<DetectFacesResponse> DetectFaces(DetectFacesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("DetectFaces", request, context, () => new DetectFacesResponse { Faces = { new DetectedFace() } });

    public override Task<EmbedFacesResponse> EmbedFaces(EmbedFacesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("EmbedFaces", request, context, () => new EmbedFacesResponse { Faces = { new EmbeddedFace() } });

    public override Task<CompareFacesResponse> CompareFaces(CompareFacesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("CompareFaces", request, context, () => new CompareFacesResponse());

    public override Task<IdentifyFacesResponse> IdentifyFaces(IdentifyFacesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("IdentifyFaces", request, context, () => new IdentifyFacesResponse());
}

internal sealed class PersonsDouble(Behaviour behaviour) : PersonService.PersonServiceBase
{
    public override Task<ListPersonsResponse> ListPersons(ListPersonsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("ListPersons", request, context, () =>
        {
            var (page, next) = VectorStoreDouble.Page(behaviour.Persons, request.PageSize, request.PageToken);
            return new ListPersonsResponse { Persons = { page }, NextPageToken = next };
        });

    public override Task<NamePersonResponse> NamePerson(NamePersonRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("NamePerson", request, context, () => new NamePersonResponse { ChangedCount = request.PointIds.Count });

    public override Task<MergePersonsResponse> MergePersons(MergePersonsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("MergePersons", request, context, () => new MergePersonsResponse { ChangedCount = request.Persons.Count });

    public override Task<SplitPersonResponse> SplitPerson(SplitPersonRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("SplitPerson", request, context, () => new SplitPersonResponse { ChangedCount = request.PointIds.Count });

    public override Task<UndoPersonChangeResponse> UndoPersonChange(
        UndoPersonChangeRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("UndoPersonChange", request, context, () => new UndoPersonChangeResponse { RestoredCount = 2 });

    public override Task ClusterFaces(
        ClusterFacesRequest request, IServerStreamWriter<ClusterFacesResponse> responseStream, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("ClusterFaces");
        behaviour.LastRequest = request;
        return behaviour.OnClusterFaces(request, responseStream, context);
    }
}

internal sealed class ModelsDouble(Behaviour behaviour) : ModelService.ModelServiceBase
{
    public override Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("ListModels");
        var (page, next) = VectorStoreDouble.Page(behaviour.Models, request.PageSize, request.PageToken);
        return Task.FromResult(new ListModelsResponse { Models = { page }, NextPageToken = next });
    }

    public override Task<GetModelResponse> GetModel(GetModelRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("GetModel");
        var model = behaviour.Models.FirstOrDefault(model => model.Name == request.Name);
        return model is null
            ? throw new RpcException(new Status(StatusCode.NotFound, "There is no such model."))
            : Task.FromResult(new GetModelResponse { Model = model });
    }

    public override Task<LoadModelResponse> LoadModel(LoadModelRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("LoadModel");
        return Task.FromResult(new LoadModelResponse { Model = new() { Name = request.Name } });
    }

    public override Task<UnloadModelResponse> UnloadModel(UnloadModelRequest request, ServerCallContext context)
    {
        behaviour.Calls.Enqueue("UnloadModel");
        return Task.FromResult(new UnloadModelResponse());
    }
}

internal sealed class VectorStoreDouble(Behaviour behaviour) : VectorStoreService.VectorStoreServiceBase
{
    public override Task<UpsertVectorsResponse> UpsertVectors(UpsertVectorsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("UpsertVectors", request, context, () => new UpsertVectorsResponse { UpsertedCount = request.Points.Count });

    public override Task<GetVectorResponse> GetVector(GetVectorRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("GetVector", request, context, () => new GetVectorResponse { Point = new VectorPoint { PointId = request.PointId } });

    public override Task<GetVectorsResponse> GetVectors(GetVectorsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("GetVectors", request, context, () =>
            new GetVectorsResponse { Points = { request.PointIds.Select(id => new VectorPoint { PointId = id }) } });

    public override Task<SetAttributesResponse> SetAttributes(SetAttributesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("SetAttributes", request, context, () => new SetAttributesResponse { MatchedCount = request.PointIds.Count });

    public override Task<CreateCollectionResponse> CreateCollection(CreateCollectionRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("CreateCollection", request, context, () =>
            new CreateCollectionResponse { Collection = new() { Name = request.Collection, Dimension = request.Dimension } });

    public override Task<GetCollectionResponse> GetCollection(GetCollectionRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("GetCollection", request, context, () =>
            new GetCollectionResponse { Collection = new() { Name = request.Collection } });

    public override Task<UpdateCollectionResponse> UpdateCollection(UpdateCollectionRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("UpdateCollection", request, context, () => new UpdateCollectionResponse());

    public override Task<UpdateAliasesResponse> UpdateAliases(UpdateAliasesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("UpdateAliases", request, context, () => new UpdateAliasesResponse());

    public override Task<ListAliasesResponse> ListAliases(ListAliasesRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("ListAliases", request, context, () =>
        {
            var all = behaviour.Collections.Select(collection => new Alias { Alias_ = $"alias-{collection.Name}", Collection = collection.Name });
            var (page, next) = Page([.. all], request.PageSize, request.PageToken);
            return new ListAliasesResponse { Aliases = { page }, NextPageToken = next };
        });

    public override Task<DeleteVectorsResponse> DeleteVectors(DeleteVectorsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("DeleteVectors", request, context, () => new DeleteVectorsResponse { DeletedCount = request.PointIds.Count });

    public override Task<CountVectorsResponse> CountVectors(CountVectorsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("CountVectors", request, context, () => new CountVectorsResponse { Count = behaviour.Points.Count });

    public override Task<ListVectorsResponse> ListVectors(ListVectorsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("ListVectors", request, context, () =>
        {
            var (page, next) = Page(behaviour.Points, request.PageSize, request.PageToken);
            return new ListVectorsResponse { Points = { page }, NextPageToken = next };
        });

    public override Task<ListCollectionsResponse> ListCollections(
        ListCollectionsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("ListCollections", request, context, () =>
        {
            var (page, next) = Page(behaviour.Collections, request.PageSize, request.PageToken);
            return new ListCollectionsResponse { Collections = { page }, NextPageToken = next };
        });

    public override Task<SearchVectorsResponse> SearchVectors(SearchVectorsRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("SearchVectors", request, context, () =>
        {
            behaviour.Thresholds.Enqueue(request.HasScoreThreshold ? request.ScoreThreshold : null);
            return new SearchVectorsResponse
            {
                Results = { request.Queries.Select(query => new SearchResult { Points = { Scored(query) } }) },
            };
        });

    public override Task<SearchByMediaStoreIdResponse> SearchByMediaStoreId(
        SearchByMediaStoreIdRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("SearchByMediaStoreId", request, context, () => new SearchByMediaStoreIdResponse());

    public override Task<DeleteCollectionResponse> DeleteCollection(
        DeleteCollectionRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("DeleteCollection", request, context, () => new DeleteCollectionResponse { DeletedCount = 7 });

    public override Task<DeleteByJobIdResponse> DeleteByJobId(DeleteByJobIdRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("DeleteByJobId", request, context, () => new DeleteByJobIdResponse { DeletedCount = 7 });

    public override Task<SetLegalHoldResponse> SetLegalHold(SetLegalHoldRequest request, ServerCallContext context) =>
        behaviour.AnswerAsync("SetLegalHold", request, context, () => new SetLegalHoldResponse { ChangedCount = 7 });

    public override async Task StreamUpsertVectors(
        IAsyncStreamReader<StreamUpsertVectorsRequest> requestStream,
        IServerStreamWriter<StreamUpsertVectorsResponse> responseStream,
        ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadItemsAsync(context.CancellationToken))
        {
            var ack = new UpsertAck { PointId = request.Point.PointId };
            await responseStream.WriteAsync(new StreamUpsertVectorsResponse { ItemId = request.ItemId, Ack = ack });
        }
    }

    private static ScoredPoint Scored(SearchQuery query) => new() { Score = query.Vector?.Values.Sum() ?? 0 };

    public static (IEnumerable<T> Page, string Next) Page<T>(IReadOnlyList<T> all, int size, string token)
    {
        var from = token.Length == 0 ? 0 : int.Parse(token, CultureInfo.InvariantCulture);
        var to = Math.Min(from + (size == 0 ? 100 : size), all.Count);
        return (all.Skip(from).Take(to - from), to == all.Count ? "" : to.ToString(CultureInfo.InvariantCulture));
    }
}
