using Embeddings.Core.Models;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Models as the contract shows them.</summary>
internal static class ModelMapping
{
    public static V1.Model ToContract(ServedModel served, bool isDefault)
    {
        // Read once: it may be loaded or unloaded at any time.
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
            DefaultForKind = isDefault,
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
        return result;
    }
}
