using Embeddings.Core.Models;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Models as the contract shows them.</summary>
internal static class ModelMapping
{
    public static V1.Model ToContract(ModelSlot slot, bool isDefault)
    {
        // Read once: it may be loaded or unloaded meanwhile.
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
            DefaultForKind = isDefault,
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
