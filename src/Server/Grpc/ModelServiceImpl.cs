using Embeddings.Core.Models;
using Embeddings.Server.Grpc.Mapping;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Lists and changes the models of the server.</summary>
internal sealed class ModelServiceImpl(ModelCatalog models) : V1.ModelService.ModelServiceBase
{
    public override Task<V1.ListModelsResponse> ListModels(V1.ListModelsRequest request, ServerCallContext context)
    {
        var size = Require.Count(request.PageSize, "page_size", 100, 1000);
        var (page, next) = NamePages.Take("models", models.All, model => model.Name, ToContract, size, request.PageToken);
        return Task.FromResult(new V1.ListModelsResponse { Models = { page }, NextPageToken = next });
    }

    public override Task<V1.GetModelResponse> GetModel(V1.GetModelRequest request, ServerCallContext context)
    {
        var model = models.Find(Require.Text(request.Name, "name", Require.MaxIdBytes));
        return Task.FromResult(new V1.GetModelResponse { Model = ToContract(model) });
    }

    public override async Task<V1.LoadModelResponse> LoadModel(V1.LoadModelRequest request, ServerCallContext context)
    {
        var model = await models.LoadAsync(Require.Text(request.Name, "name", Require.MaxIdBytes), context.CancellationToken);
        return new() { Model = ToContract(model) };
    }

    public override async Task<V1.UnloadModelResponse> UnloadModel(V1.UnloadModelRequest request, ServerCallContext context)
    {
        await models.UnloadAsync(Require.Text(request.Name, "name", Require.MaxIdBytes), context.CancellationToken);
        return new();
    }

    private V1.Model ToContract(ServedModel served)
    {
        // Read once: the model may be loaded or unloaded at any time.
        var session = served.Session;
        var model = session?.Model ?? served.Info;
        var manifest = model.Manifest;
        var result = new V1.Model
        {
            Name = manifest.Name,
            Kind = (V1.ModelKind)manifest.Kind,
            Dimension = manifest.Dimension,
            InputWidth = manifest.Input.Width,
            InputHeight = manifest.Input.Height,
            ColorOrder = (V1.ColorOrder)manifest.Input.ColorOrder,
            ResizeMode = (V1.ResizeMode)manifest.Input.Resize,
            UnitLength = manifest.UnitLength,
            MaxBatch = session?.MaxBatch ?? manifest.MaxBatch,
            Licence = manifest.Licence,
            Origin = manifest.Origin,
            Sha256 = manifest.Sha256,
            Fingerprint = model.Fingerprint,
            Description = manifest.Description,
            DefaultForKind = models.DefaultOf(served.Info.Kind) == served,
            ExecutionProvider = session?.ExecutionProvider ?? "",
            Loaded = session is not null,
        };
        result.Mean.AddRange(manifest.Input.Mean);
        result.Std.AddRange(manifest.Input.Std);
        result.Notices.AddRange(session?.Notices ?? []);
        if (manifest.SuggestedThreshold is { } threshold)
        {
            result.SuggestedThreshold = threshold;
        }
        if (manifest.FalseMatchRate is { } rate)
        {
            result.FalseMatchRate = rate;
        }
        return result;
    }
}
