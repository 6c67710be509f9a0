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

    public override async Task StreamIngest(
        IAsyncStreamReader<StreamIngestRequest> requestStream,
        IServerStreamWriter<StreamIngestResponse> responseStream,
        ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            var ack = new IngestAck { PointId = request.Image.JobId };
            await responseStream.WriteAsync(new StreamIngestResponse { ItemId = request.ItemId, Ack = ack });
        }
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
}

internal sealed class VectorStoreDouble(Behaviour behaviour) : VectorStoreService.VectorStoreServiceBase
{
    public override Task<UpsertVectorsResponse> UpsertVectors(UpsertVectorsRequest request, ServerCallContext context) =>
        AnswerAsync("UpsertVectors", context, () => new UpsertVectorsResponse { UpsertedCount = request.Points.Count });

    public override Task<GetVectorResponse> GetVector(GetVectorRequest request, ServerCallContext context) =>
        AnswerAsync("GetVector", context, () => new GetVectorResponse { Point = new VectorPoint { PointId = request.PointId } });

    public override Task<DeleteVectorsResponse> DeleteVectors(DeleteVectorsRequest request, ServerCallContext context) =>
        AnswerAsync("DeleteVectors", context, () => new DeleteVectorsResponse { DeletedCount = request.PointIds.Count });

    public override Task<CountVectorsResponse> CountVectors(CountVectorsRequest request, ServerCallContext context) =>
        AnswerAsync("CountVectors", context, () => new CountVectorsResponse { Count = behaviour.Points.Count });

    public override Task<ListVectorsResponse> ListVectors(ListVectorsRequest request, ServerCallContext context) =>
        AnswerAsync("ListVectors", context, () =>
        {
            var (page, next) = Page(behaviour.Points, request.PageSize, request.PageToken);
            return new ListVectorsResponse { Points = { page }, NextPageToken = next };
        });

    public override Task<ListCollectionsResponse> ListCollections(
        ListCollectionsRequest request, ServerCallContext context) =>
        AnswerAsync("ListCollections", context, () =>
        {
            var (page, next) = Page(behaviour.Collections, request.PageSize, request.PageToken);
            return new ListCollectionsResponse { Collections = { page }, NextPageToken = next };
        });

    public override Task<SearchVectorsResponse> SearchVectors(SearchVectorsRequest request, ServerCallContext context) =>
        AnswerAsync("SearchVectors", context, () =>
        {
            behaviour.Thresholds.Enqueue(request.HasScoreThreshold ? request.ScoreThreshold : null);
            return new SearchVectorsResponse
            {
                Results = { request.Queries.Select(query => new SearchResult { Points = { Scored(query) } }) },
            };
        });

    public override Task<SearchByMediaStoreIdResponse> SearchByMediaStoreId(
        SearchByMediaStoreIdRequest request, ServerCallContext context) =>
        AnswerAsync("SearchByMediaStoreId", context, () => new SearchByMediaStoreIdResponse());

    public override Task<DeleteCollectionResponse> DeleteCollection(
        DeleteCollectionRequest request, ServerCallContext context) =>
        AnswerAsync("DeleteCollection", context, () => new DeleteCollectionResponse { DeletedCount = 7 });

    public override Task<DeleteByJobIdResponse> DeleteByJobId(DeleteByJobIdRequest request, ServerCallContext context) =>
        AnswerAsync("DeleteByJobId", context, () => new DeleteByJobIdResponse { DeletedCount = 7 });

    public override async Task StreamUpsertVectors(
        IAsyncStreamReader<StreamUpsertVectorsRequest> requestStream,
        IServerStreamWriter<StreamUpsertVectorsResponse> responseStream,
        ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
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

    private async Task<T> AnswerAsync<T>(string name, ServerCallContext context, Func<T> answer)
    {
        behaviour.Calls.Enqueue(name);
        await behaviour.OnUnary(name, context);
        return answer();
    }
}
