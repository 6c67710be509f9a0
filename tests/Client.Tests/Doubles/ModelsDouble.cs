using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.Client.Tests.Doubles;

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
