using Embeddings.Server.Batching;
using Embeddings.Server.Diagnostics;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Pipeline;

/// <summary>Finds and loads the models at start. A model that cannot be used stops the start: better than an outage that shows with the first request.</summary>
internal sealed class ModelCatalogLoader(
    ModelOptions models, InferenceOptions inference, BatchingOptions batching, EmbeddingMetrics metrics, TimeProvider time, ILogger<ModelCatalog> log)
{
    private static readonly string BuiltIn = Path.Combine(AppContext.BaseDirectory, "models");

    public ModelCatalog Load()
    {
        var files = models.Directories.SelectMany(Manifests).Concat(models.BuiltIn ? Manifests(BuiltIn) : []).ToList();
        var loaded = files.AsParallel().AsOrdered().Select(file => (File: file, Model: ModelLoader.Load(file, inference))).ToList();

        var hosts = new Dictionary<string, ModelHost>(StringComparer.Ordinal);
        foreach (var (file, model) in loaded)
        {
            var manifest = model.Manifest;
            if (hosts.ContainsKey(manifest.Name))
            {
                throw new ModelException(file, $"is the second model called '{manifest.Name}'");
            }
            hosts.Add(manifest.Name, new(model, batching, metrics, time, log));
            Log.ModelLoaded(log, manifest.Name, manifest.Kind.ToString(), manifest.Dimension, model.ExecutionProvider, manifest.Description);
            foreach (var notice in model.Notices)
            {
                Log.ModelNotice(log, manifest.Name, notice);
            }
        }

        var defaults = new Dictionary<ModelKind, ModelHost>();
        Choose(ModelKind.Image, models.DefaultImage);
        Choose(ModelKind.Face, models.DefaultFace);
        return new(hosts, defaults);

        void Choose(ModelKind kind, string name)
        {
            if (name.Length > 0)
            {
                defaults[kind] = hosts.TryGetValue(name, out var named) && named.Model.Manifest.Kind == kind
                    ? named
                    : throw new ModelException(name, $"is to be the default {kind.ToString().ToLowerInvariant()} model, but there is no such model of that kind");
                return;
            }
            // In the order of loading: the built-in ones come last.
            var first = loaded.FirstOrDefault(entry => entry.Model.Manifest.Kind == kind).Model;
            if (first is not null)
            {
                defaults[kind] = hosts[first.Manifest.Name];
            }
        }
    }

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
