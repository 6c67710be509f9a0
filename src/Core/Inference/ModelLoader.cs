using Embeddings.Core.Models;

namespace Embeddings.Core.Inference;

/// <summary>Loads a model: manifest, checksum, sessions, probe.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a model by the path of its <c>.onnx</c> file or of its manifest.</summary>
    /// <exception cref="ModelException">The manifest is not valid, or the model cannot be used or does not fit it.</exception>
    public static EmbeddingSession Load(string path, InferenceOptions options)
    {
        var file = Path.ChangeExtension(path, ".onnx");
        var manifest = ManifestFile.Read(Path.ChangeExtension(path, ".json"));
        CheckContent(file, manifest);
        try
        {
            return Open(file, manifest, options, []);
        }
        catch (ModelException e) when (options is { AllowCpuFallback: true, Provider: not ExecutionProvider.Cpu })
        {
            var notice = $"it runs on the processor instead of {ProviderSetup.Word(options.Provider)}: {e.Message}";
            return Open(file, manifest, options with { Provider = ExecutionProvider.Cpu }, [notice]);
        }
    }

    private static EmbeddingSession Open(
        string file, ModelManifest manifest, InferenceOptions options, IReadOnlyList<string> notices)
    {
        var bytes = ModelFile.Bytes(file);
        var plan = SessionPlan.For(options, manifest.MaxBatch == 1, Environment.ProcessorCount, bytes);
        // One session is enough for the probe, and only the probe shows how many there should be. Single-threaded runs do not
        // depend on it: they come with the first session.
        var first = new RuntimeSessions(file, options, plan with { Sessions = 1 });
        RuntimeSessions? all = null;
        try
        {
            var signature = ModelSignature.Find(first.First, manifest, file);
            var probe = Probe(new(file, manifest, signature, first, options), first, file, options.ProbeTimeout);
            var wanted = SessionPlan.For(options, probe.MaxBatch == 1, Environment.ProcessorCount, bytes);
            if (wanted == plan && wanted.Sessions == 1)
            {
                all = first;
            }
            else
            {
                first.Dispose();
                all = new RuntimeSessions(file, options, wanted);
            }
            return new EmbeddingSession(manifest, signature, probe, notices, all);
        }
        finally
        {
            if (all != first)
            {
                first.Dispose();
            }
        }
    }

    private static ProbeResult Probe(ModelProbe probe, RuntimeSessions sessions, string file, TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit, TimeProvider.System);
        ProbeResult? result = null;
        ModelException? failure = null;
        using (timeout.Token.Register(sessions.Terminate))
        {
            try
            {
                result = probe.Run();
            }
            catch (ModelException e)
            {
                failure = e;
            }
        }
        // A run that was ended looks like one that failed, and the sessions cannot run any more.
        return timeout.IsCancellationRequested
            ? throw new ModelException(
                file,
                $"must finish its test runs within {limit} (Inference:ProbeTimeout); its graph may never end",
                failure)
            : result ?? throw failure!;
    }

    private static void CheckContent(string file, ModelManifest manifest)
    {
        var actual = ModelFile.Sha256(file);
        if (actual != manifest.Sha256)
        {
            throw new ModelException(
                file, $"checksum mismatch: the manifest's sha256 is {manifest.Sha256}; the file has SHA-256 {actual}");
        }
        var external = ModelFile.RequireDataFiles(file);
        var data = ModelFile.DataSha256(file, external);
        if (data == manifest.DataSha256)
        {
            return;
        }
        throw new ModelException(
            file,
            external.Count == 0
                ? "has no external weight files; remove data_sha256 from the manifest"
                : $"checksum mismatch: the manifest's data_sha256 is '{manifest.DataSha256}'; "
                    + $"{string.Join(", ", external)} have SHA-256 {data}");
    }
}
