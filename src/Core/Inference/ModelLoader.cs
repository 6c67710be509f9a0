using Embeddings.Core.Models;
namespace Embeddings.Core.Inference;

/// <summary>Loads a model: manifest, checksum, sessions, probe.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a model by the path of its <c>.onnx</c> file or of the manifest <c>.json</c> beside it.</summary>
    /// <exception cref="ManifestException">The manifest cannot be used.</exception>
    /// <exception cref="ModelException">The model cannot be used, or does not fit its manifest.</exception>
    public static IEmbeddingModel Load(string path, InferenceOptions options)
    {
        var file = Path.ChangeExtension(path, ".onnx");
        var manifest = ManifestReader.Read(Path.ChangeExtension(path, ".json"));
        CheckContent(file, manifest);

        var graph = OpenOrFallBack(file, manifest, options);
        try
        {
            return manifest.Kind switch
            {
                ModelKind.Image => new ImageEmbeddingModel(graph),
                ModelKind.Face => new FaceEmbeddingModel(graph),
                _ => throw new ModelException(file, $"there is no model of kind {manifest.Kind}"),
            };
        }
        catch
        {
            graph.Sessions.Dispose();
            throw;
        }
    }

    private static LoadedGraph OpenOrFallBack(string file, ModelManifest manifest, InferenceOptions options)
    {
        try
        {
            return Open(file, manifest, options);
        }
        catch (ModelException e) when (options is { AllowCpuFallback: true, Provider: not ExecutionProvider.Cpu })
        {
            var graph = Open(file, manifest, options with { Provider = ExecutionProvider.Cpu });
            return graph with { Notices = [.. graph.Notices, $"it runs on the processor instead of {ProviderSetup.Word(options.Provider)}: {e.Message}"] };
        }
    }

    private static LoadedGraph Open(string file, ModelManifest manifest, InferenceOptions options)
    {
        var bytes = ModelFile.Bytes(file);
        var plan = SessionPlan.For(options, manifest.MaxBatch == 1, Environment.ProcessorCount, bytes);
        // The first session is enough to ask; only then is it known how many there should be. Narrow runs do not depend on the answer: they come with it.
        var first = new RuntimeSessions(file, options, plan with { Sessions = 1 });
        RuntimeSessions? all = null;
        try
        {
            var signature = ModelSignature.Find(first.First, manifest, file);
            var (layout, maxBatch, notices) = new ModelProbe(file, manifest, signature, first, options).Run();
            var wanted = SessionPlan.For(options, maxBatch == 1, Environment.ProcessorCount, bytes);
            if (wanted == plan && wanted.Sessions == 1)
            {
                all = first;
            }
            else
            {
                first.Dispose();
                all = new RuntimeSessions(file, options, wanted);
            }
            return new LoadedGraph(manifest, signature, layout, maxBatch, notices, all);
        }
        finally
        {
            if (all != first)
            {
                first.Dispose();
            }
        }
    }

    private static void CheckContent(string file, ModelManifest manifest)
    {
        var actual = ModelFile.Sha256(file);
        if (actual != manifest.Sha256)
        {
            throw new ModelException(file, $"is not the file its manifest was written for: SHA-256 {actual}, the manifest says {manifest.Sha256}");
        }
        var beside = ModelFile.DataFiles(file);
        var data = ModelFile.DataSha256(file, beside);
        if (data != manifest.DataSha256)
        {
            throw new ModelException(file, beside.Count == 0
                ? "has all its weights in itself, but the manifest has a data_sha256"
                : $"keeps weights in {string.Join(", ", beside)}, of SHA-256 {data}; the manifest's data_sha256 is '{manifest.DataSha256}'");
        }
    }
}
