using Embeddings.Primitives;

namespace Embeddings.Core.Models;

/// <summary>The models by name, and the default one of each kind.</summary>
internal sealed class ModelCatalog(IReadOnlyDictionary<string, ModelSlot> models, IReadOnlyDictionary<ModelKind, ModelSlot> defaults) : IDisposable
{
    /// <summary>All of them, by ordinal name.</summary>
    public IReadOnlyList<ModelSlot> All { get; } = [.. models.Values.OrderBy(slot => slot.Manifest.Name, StringComparer.Ordinal)];

    /// <summary>The model that a request means. NOT_FOUND for an unknown name or kind, INVALID_ARGUMENT for a model of another kind.</summary>
    public ModelSlot Get(string name, ModelKind kind)
    {
        if (name.Length == 0)
        {
            return DefaultOf(kind) ?? throw new Fault(FaultKind.NotFound, Reasons.ModelNotFound, $"this server has no {Word(kind)} model", "model");
        }
        var slot = Find(name);
        return slot.Manifest.Kind == kind
            ? slot
            : throw Fault.Invalid(Reasons.ModelKindMismatch, "model", $"the model '{name}' embeds {Word(slot.Manifest.Kind)}s, the item is a {Word(kind)}");
    }

    /// <summary>The model of a name. NOT_FOUND where there is none.</summary>
    public ModelSlot Find(string name) =>
        models.TryGetValue(name, out var slot)
            ? slot
            : throw new Fault(
                FaultKind.NotFound,
                Reasons.ModelNotFound,
                $"there is no model '{(name.Length <= 64 ? name : name[..64] + "...")}'; there are: {string.Join(", ", All.Select(slot => slot.Manifest.Name))}",
                "model");

    /// <summary>The model for requests of a kind that name none, or null.</summary>
    public ModelSlot? DefaultOf(ModelKind kind) => defaults.GetValueOrDefault(kind);

    public void Dispose()
    {
        foreach (var slot in All)
        {
            slot.Dispose();
        }
    }

    private static string Word(ModelKind kind) => kind.ToString().ToLowerInvariant();
}
