using System.Security.Cryptography;

namespace Embeddings.Server.Inference;

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
        CheckContent(file, manifest.Sha256);

        var graph = Open(file, manifest, options);
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

    private static LoadedGraph Open(string file, ModelManifest manifest, InferenceOptions options)
    {
        var plan = SessionPlan.For(options, manifest.MaxBatch == 1, Environment.ProcessorCount);
        // The first session is enough to ask; only then is it known how many there should be.
        var first = new RuntimeSessions(file, options, plan with { Sessions = 1 });
        RuntimeSessions? all = null;
        try
        {
            var signature = ModelSignature.Find(first.First, manifest, file);
            var (layout, maxBatch, notices) = new ModelProbe(file, manifest, signature, first).Run();
            var wanted = SessionPlan.For(options, maxBatch == 1, Environment.ProcessorCount);
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

    private static void CheckContent(string file, string sha256)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
            var actual = Convert.ToHexStringLower(SHA256.HashData(stream));
            if (actual != sha256)
            {
                throw new ModelException(file, $"is not the file its manifest was written for: SHA-256 {actual}, the manifest says {sha256}");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException(file, e is FileNotFoundException or DirectoryNotFoundException ? "is not there" : "cannot be read", e);
        }
    }
}
