using System.Runtime.ExceptionServices;
using Embeddings.Core.Batching;
using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Models;

/// <summary>Finds and loads the models at start. A model that cannot be used stops the start: better than an outage that shows with the first request.</summary>
internal sealed class ModelCatalogLoader(
    ModelOptions models, InferenceOptions inference, BatchingOptions batching, EmbeddingMetrics metrics, TimeProvider time, ILogger<ModelCatalog> log)
{
    // The build puts them into the program's own folder.
    private static readonly string DefaultModels = Path.Combine(AppContext.BaseDirectory, "models");

    public ModelCatalog Load()
    {
        var files = models.Directories.SelectMany(Manifests).Concat(models.UseDefaults ? Defaults(DefaultModels) : []);
        var budget = new ModelBudget(models.MaxLoadedBytes, inference);
        // In this order: of several models, the first of a kind is its default, and the default ones come last.
        var slots = new List<ModelSlot>();
        foreach (var file in files)
        {
            var slot = new ModelSlot(file, ManifestReader.Read(file), Load, budget, batching, time);
            if (slots.Any(other => other.Name == slot.Name))
            {
                throw new ModelException(file, $"is the second model called '{slot.Name}'");
            }
            slots.Add(slot);
            metrics.ObserveQueue(slot.Name, () => slot.Gate.Items);
        }
        var defaults = new Dictionary<ModelKind, ModelSlot>();
        Choose(defaults, slots, ModelKind.Image, models.DefaultImage);
        Choose(defaults, slots, ModelKind.Face, models.DefaultFace);
        LoadAtStart(slots.Where(slot => !models.Lazy || defaults.ContainsValue(slot)).ToList());
        return new(slots.ToDictionary(slot => slot.Name, StringComparer.Ordinal), defaults);
    }

    private ModelHost Load(string file)
    {
        var model = ModelLoader.Load(file, inference);
        var manifest = model.Manifest;
        CoreLog.ModelLoaded(log, manifest.Name, manifest.Kind.ToString(), manifest.Dimension, model.ExecutionProvider, manifest.Description);
        foreach (var notice in model.Notices)
        {
            CoreLog.ModelNotice(log, manifest.Name, notice);
        }
        return new(model, batching, metrics, time, log);
    }

    private static void LoadAtStart(List<ModelSlot> slots)
    {
        try
        {
            slots.AsParallel().ForAll(slot => slot.LoadNow());
        }
        catch (AggregateException e) when (e.Flatten().InnerExceptions.FirstOrDefault(inner => inner is ModelException or ManifestException or Fault) is { } first)
        {
            slots.ForEach(slot => slot.Dispose());
            ExceptionDispatchInfo.Throw(first);
        }
    }

    private static void Choose(Dictionary<ModelKind, ModelSlot> defaults, List<ModelSlot> slots, ModelKind kind, string name)
    {
        var chosen = slots.FirstOrDefault(slot => slot.Manifest.Kind == kind && (name.Length == 0 || slot.Name == name));
        if (chosen is not null)
        {
            defaults[kind] = chosen;
        }
        else if (name.Length > 0)
        {
            throw new ModelException(name, $"is to be the default {kind.ToString().ToLowerInvariant()} model, but there is no such model of that kind");
        }
    }

    /// <summary>The manifests of the default models. Never a silent start without them: clients would find out with their first request.</summary>
    /// <exception cref="ModelException">There are none.</exception>
    internal static IReadOnlyList<string> Defaults(string folder) =>
        Directory.Exists(folder) && Manifests(folder).ToList() is { Count: > 0 } files
            ? files
            : throw new ModelException(
                folder,
                $"the default models are missing from {folder}. Run ./build.sh models and build again, "
                    + "or start without them: --models none or --models DIR on the command line, or the setting Models:UseDefaults=false.");

    private static IEnumerable<string> Manifests(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new ModelException(directory, "is not a folder");
        }
        // Other JSON files, such as a tokenizer's, may lie there too.
        return Directory.EnumerateFiles(directory, "*.json").Where(file => File.Exists(Path.ChangeExtension(file, ".onnx"))).Order(StringComparer.Ordinal);
    }
}
