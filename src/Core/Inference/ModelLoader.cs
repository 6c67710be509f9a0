using Embeddings.Core.Models;

namespace Embeddings.Core.Inference;

/// <summary>Loads a model: manifest, checksum, sessions, probe.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a model by the path of its <c>.onnx</c> file or of its manifest.</summary>
    /// <param name="path">The path.</param>
    /// <param name="options">Settings of its sessions.</param>
    /// <param name="cache">Cache of the graph and of the results of test runs, or null.</param>
    /// <exception cref="ModelException">The manifest is not valid, or the model cannot be used or does not fit it.</exception>
    public static EmbeddingSession Load(string path, InferenceOptions options, ModelCache? cache = null)
    {
        var file = Path.ChangeExtension(path, ".onnx");
        var manifest = ManifestFile.Read(Path.ChangeExtension(path, ".json"));
        CheckContent(file, manifest);
        try
        {
            return Open(file, manifest, options, [], cache);
        }
        catch (ModelException e) when (options is { AllowCpuFallback: true, Provider: not ExecutionProvider.Cpu })
        {
            var notice = $"it runs on the processor instead of {ProviderSetup.Word(options.Provider)}: {e.Message}";
            return Open(file, manifest, options with { Provider = ExecutionProvider.Cpu }, [notice], cache);
        }
    }

    private static EmbeddingSession Open(
        string file, ModelManifest manifest, InferenceOptions options, IReadOnlyList<string> notices, ModelCache? cache)
    {
        var entry = cache?.Open(file, manifest, options);
        if (entry is { Graph: not null })
        {
            try
            {
                return OpenKnown(file, manifest, options, notices, entry);
            }
            catch (ModelException)
            {
                // It may be a file that another version wrote: what is found out now replaces it.
                entry.Discard();
            }
        }
        // Other providers compile parts of the graph, which cannot be written to a file.
        var graph = options.Provider == ExecutionProvider.Cpu ? entry?.NewGraph() : null;
        var isKept = false;
        try
        {
            return OpenUnknown(file, manifest, options, notices, entry, graph, out isKept);
        }
        finally
        {
            if (graph is not null && !isKept)
            {
                entry!.Delete(graph);
            }
        }
    }

    // The graph is optimized already, and the test runs have been made.
    private static EmbeddingSession OpenKnown(
        string file, ModelManifest manifest, InferenceOptions options, IReadOnlyList<string> notices, CacheEntry entry)
    {
        var known = entry.Probe ?? throw new ModelException(file, "has a cache entry without the results of its test runs");
        var probe = known.Restore(file, manifest);
        var plan = SessionPlan.For(options, probe.MaxBatch == 1, Environment.ProcessorCount, ModelFile.Bytes(file));
        var sessions = new RuntimeSessions(file, options, plan, entry);
        try
        {
            var first = sessions.First;
            return first.InputMetadata.ContainsKey(known.Signature.Input) && known.Signature.Outputs.All(first.OutputMetadata.ContainsKey)
                ? new EmbeddingSession(manifest, known.Signature, probe, notices, sessions) { Cache = entry }
                : throw new ModelException(file, "has a cache entry of another graph");
        }
        catch
        {
            sessions.Dispose();
            throw;
        }
    }

    private static EmbeddingSession OpenUnknown(
        string file,
        ModelManifest manifest,
        InferenceOptions options,
        IReadOnlyList<string> notices,
        CacheEntry? entry,
        string? graph,
        out bool isKept)
    {
        isKept = false;
        var bytes = ModelFile.Bytes(file);
        var plan = SessionPlan.For(options, manifest.MaxBatch == 1, Environment.ProcessorCount, bytes);
        // One session is enough for the probe, and only the probe shows how many there should be. Single-threaded runs do not
        // depend on it: they come with the first session.
        var first = OpenFirst(file, options, plan with { Sessions = 1 }, ref graph);
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
            if (graph is not null)
            {
                entry!.Add(graph, CachedProbe.Of(signature, probe));
                isKept = true;
            }
            return new EmbeddingSession(manifest, signature, probe, notices, all) { Cache = entry };
        }
        finally
        {
            if (all != first)
            {
                first.Dispose();
            }
        }
    }

    // Without writing the graph if that fails: the disk may be full.
    private static RuntimeSessions OpenFirst(string file, InferenceOptions options, SessionPlan plan, ref string? graph)
    {
        try
        {
            return new RuntimeSessions(file, options, plan, saveTo: graph);
        }
        catch (ModelException) when (graph is not null)
        {
            graph = null;
            return new RuntimeSessions(file, options, plan);
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
