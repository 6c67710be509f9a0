using Embeddings.Server.Diagnostics;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Pipeline;

/// <summary>The models by name, and the default one of each kind.</summary>
internal sealed class ModelCatalog(IReadOnlyDictionary<string, ModelHost> models, IReadOnlyDictionary<ModelKind, ModelHost> defaults) : IDisposable
{
    /// <summary>All of them, by ordinal name.</summary>
    public IReadOnlyList<ModelHost> All { get; } = [.. models.Values.OrderBy(host => host.Model.Manifest.Name, StringComparer.Ordinal)];

    /// <summary>The model that a request means. NOT_FOUND for an unknown name or kind, INVALID_ARGUMENT for a model of another kind.</summary>
    public ModelHost Get(string name, ModelKind kind)
    {
        if (name.Length == 0)
        {
            return DefaultOf(kind) ?? throw new Fault(FaultKind.NotFound, Reasons.ModelNotFound, $"this server has no {Word(kind)} model", "model");
        }
        var host = Find(name);
        return host.Model.Manifest.Kind == kind
            ? host
            : throw Fault.Invalid(Reasons.ModelKindMismatch, "model", $"the model '{name}' embeds {Word(host.Model.Manifest.Kind)}s, the item is a {Word(kind)}");
    }

    /// <summary>The model of a name. NOT_FOUND where there is none.</summary>
    public ModelHost Find(string name) =>
        models.TryGetValue(name, out var host)
            ? host
            : throw new Fault(
                FaultKind.NotFound,
                Reasons.ModelNotFound,
                $"there is no model '{(name.Length <= 64 ? name : name[..64] + "...")}'; there are: {string.Join(", ", All.Select(host => host.Model.Manifest.Name))}",
                "model");

    /// <summary>The model for requests of a kind that name none, or null.</summary>
    public ModelHost? DefaultOf(ModelKind kind) => defaults.GetValueOrDefault(kind);

    public void Dispose()
    {
        foreach (var host in All)
        {
            host.Dispose();
        }
    }

    private static string Word(ModelKind kind) => kind.ToString().ToLowerInvariant();
}
