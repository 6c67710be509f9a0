using Embeddings.Core.Models;
using Embeddings.Server.Grpc.Mapping;
using Grpc.Core;

namespace Embeddings.Server.Grpc;

/// <summary>Lists the models of the server.</summary>
internal sealed class ModelServiceImpl(ModelCatalog models) : V1.ModelService.ModelServiceBase
{
    public override Task<V1.ListModelsResponse> ListModels(V1.ListModelsRequest request, ServerCallContext context)
    {
        var size = Require.Count(request.PageSize, "page_size", 100, 1000);
        var (page, next) = NamePages.Take("models", models.All, slot => slot.Name, size, request.PageToken);
        return Task.FromResult(new V1.ListModelsResponse { Models = { page.Select(ToContract) }, NextPageToken = next });
    }

    public override Task<V1.GetModelResponse> GetModel(V1.GetModelRequest request, ServerCallContext context)
    {
        var slot = models.Find(Require.Text(request.Name, "name", Require.MaxIdBytes));
        return Task.FromResult(new V1.GetModelResponse { Model = ToContract(slot) });
    }

    private V1.Model ToContract(ModelSlot slot)
    {
        // Read once: the model may be loaded or unloaded at any time.
        var model = slot.Loaded;
        var manifest = model?.Manifest ?? slot.Manifest;
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
            MaxBatch = model?.MaxBatch ?? manifest.MaxBatch,
            Licence = manifest.Licence,
            Origin = manifest.Origin,
            Sha256 = manifest.Sha256,
            Fingerprint = model?.Fingerprint ?? slot.Fingerprint,
            Description = manifest.Description,
            DefaultForKind = models.DefaultOf(slot.Manifest.Kind) == slot,
            ExecutionProvider = model?.ExecutionProvider ?? "",
            Loaded = model is not null,
        };
        result.Mean.AddRange(manifest.Input.Mean);
        result.Std.AddRange(manifest.Input.Std);
        result.Notices.AddRange(model?.Notices ?? []);
        if (manifest.SuggestedThreshold is { } threshold)
        {
            result.SuggestedThreshold = threshold;
        }
        return result;
    }
}
