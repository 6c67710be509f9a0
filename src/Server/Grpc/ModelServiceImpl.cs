using Embeddings.Core.Models;
using Embeddings.Server.Grpc.Mapping;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>What the server can embed with.</summary>
internal sealed class ModelServiceImpl(ModelCatalog models) : V1.ModelService.ModelServiceBase
{
    public override Task<V1.ListModelsResponse> ListModels(V1.ListModelsRequest request, ServerCallContext context)
    {
        var size = Require.Count(request.PageSize, "page_size", 100, 1000);
        var (page, next) = NamePages.Take(models.All, model => model.Name, size, request.PageToken);
        return Task.FromResult(new V1.ListModelsResponse { Models = { page.Select(ToContract) }, NextPageToken = next });
    }

    public override Task<V1.GetModelResponse> GetModel(V1.GetModelRequest request, ServerCallContext context) =>
        Task.FromResult(new V1.GetModelResponse { Model = ToContract(models.Find(Require.Text(request.Name, "name", Require.MaxIdBytes))) });

    private V1.Model ToContract(ServedModel model) => ModelMapping.ToContract(model, models.DefaultOf(model.Info.Kind) == model);
}
