using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Embeddings.Core.Batching;
using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Models;

/// <summary>
/// The models by name, and the default model of each kind. Finds and loads them when it is created: a model that cannot be
/// used fails the start, which is better than an outage with the first request. Keeps the models in memory within
/// <see cref="ModelOptions.MaxLoadedBytes"/>.
/// </summary>
internal sealed class ModelCatalog : IDisposable
{
    // The build puts them into the program's own folder.
    private static readonly string DefaultFolder = Path.Combine(AppContext.BaseDirectory, "models");
    private static readonly string OptionalFolder = Path.Combine(DefaultFolder, "optional");

    private readonly EmbeddingCoreOptions _options;
    private readonly EmbeddingMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ModelCache _cache;
    private readonly Lock _eviction = new();
    private readonly SemaphoreSlim _changing = new(1);
    private readonly ConcurrentDictionary<string, ServedModel> _models = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<ModelKind, ServedModel> _defaults = [];
    private volatile IReadOnlyList<ServedModel> _all = [];

    /// <exception cref="ModelException">A model cannot be used, or the default models are missing.</exception>
    public ModelCatalog(
        EmbeddingCoreOptions options, EmbeddingMetrics metrics, TimeProvider time, ILogger<ModelCatalog> log)
    {
        _options = options;
        _metrics = metrics;
        _time = time;
        _log = log;
        _cache = new(options.Models, time, log);
        Tuner = new(time);
        var models = options.Models;
        ReportIgnored(models.Directories);
        var files = models.Directories.SelectMany(Manifests)
            .Concat(models.UseDefaults ? DefaultManifests(DefaultFolder) : [])
            .Concat(models.UseOptional ? OptionalManifests(OptionalFolder) : []);
        // In this order: the first model of a kind is its default, and the default models come last.
        var ordered = new List<ServedModel>();
        foreach (var file in files)
        {
            var model = new ServedModel(file, ManifestFile.Read(file), this, options.Batching, time);
            Add(model);
            ordered.Add(model);
        }
        ChooseDefault(ModelKind.Image, models.DefaultImage, ordered);
        ChooseDefault(ModelKind.Face, models.DefaultFace, ordered);
        ChooseDefault(ModelKind.Detector, models.DefaultDetector, ordered);
        ChooseDefault(ModelKind.Landmarks, models.DefaultLandmarks, ordered);
        ChooseDefault(ModelKind.Liveness, models.DefaultLiveness, ordered);
        ChooseDefault(ModelKind.Pose, models.DefaultPose, ordered);
        var later = ordered.Where(model => models.Lazy && !_defaults.Values.Contains(model)).ToList();
        foreach (var model in later)
        {
            ModelFile.RequireDataFiles(Path.ChangeExtension(model.File, ".onnx"));
        }
        LoadAtStart([.. ordered.Except(later)]);
    }

    /// <summary>All models, in ordinal order of their names; a new list after each change.</summary>
    public IReadOnlyList<ServedModel> All => _all;

    /// <summary>Makes the trials of batch sizes.</summary>
    public BatchTuner Tuner { get; }

    /// <summary>
    /// The model that a request means. NOT_FOUND for an unknown name or kind, INVALID_ARGUMENT for a model of another kind.
    /// </summary>
    /// <param name="name">Name of the model; empty for the default one of its kind.</param>
    /// <param name="kind">Kind that the request needs.</param>
    /// <param name="field">Field of the request that holds the name.</param>
    public ServedModel Get(string name, ModelKind kind, string field = "model")
    {
        if (name.Length == 0)
        {
            return DefaultOf(kind) ?? throw new Fault(
                FaultKind.NotFound,
                Reasons.ModelNotFound,
                $"There is no {Noun(kind)}; {Remedy(kind)}.",
                field);
        }
        var model = Find(name, field);
        return model.Info.Kind == kind
            ? model
            : throw Fault.Invalid(
                Reasons.ModelKindMismatch,
                field,
                $"{field} must be {Article(kind)} {Noun(kind)}; '{name}' is {Article(model.Info.Kind)} {Noun(model.Info.Kind)}.")
                .With(FaultKeys.Model, name)
                .With(FaultKeys.Expected, Word(kind))
                .With(FaultKeys.Actual, Word(model.Info.Kind));
    }

    /// <summary>The model of a name. NOT_FOUND if there is none.</summary>
    public ServedModel Find(string name, string field = "model") =>
        _models.TryGetValue(name, out var model)
            ? model
            : throw NotFound(name, field);

    /// <summary>The fault of a name that no model has.</summary>
    public Fault NotFound(string name, string field = "model") => new Fault(
        FaultKind.NotFound,
        Reasons.ModelNotFound,
        $"{field} must be one of {string.Join(", ", All.Select(model => model.Name))}; got '{Short(name)}'.",
        field).With(FaultKeys.Model, name);

    /// <summary>The model of a name, which must have vectors. NOT_FOUND, or INVALID_ARGUMENT if it has none.</summary>
    public ServedModel FindEmbedding(string name)
    {
        var model = Find(name);
        var kind = model.Info.Kind;
        return model.Manifest.Embeds
            ? model
            : throw Fault.Invalid(
                Reasons.ModelKindMismatch,
                "model",
                $"model must be an image model or a face model; '{name}' is {Article(kind)} {Noun(kind)}.")
                .With(FaultKeys.Model, name)
                .With(FaultKeys.Expected, $"{Word(ModelKind.Image)} or {Word(ModelKind.Face)}")
                .With(FaultKeys.Actual, Word(kind));
    }

    /// <summary>The model for requests of a kind that name none, or null.</summary>
    public ServedModel? DefaultOf(ModelKind kind) => _defaults.GetValueOrDefault(kind);

    /// <summary>
    /// Serves a model of the folders: a new one, or one that was unloaded; one that is served is loaded again if its files have
    /// changed. NOT_FOUND if no manifest has the name; FAILED_PRECONDITION if the files cannot be used.
    /// </summary>
    public Task<ServedModel> LoadAsync(string name, CancellationToken cancellationToken) => ChangeAsync(
        () =>
        {
            if (!_models.TryGetValue(name, out var model))
            {
                return Serve(ManifestOf(name));
            }
            model.Reload();
            if (model.Session is null)
            {
                model.Load();
            }
            return model;
        },
        name,
        cancellationToken);

    /// <summary>Loads a model again whose files have changed; in memory only if it is.</summary>
    /// <exception cref="Fault">The files cannot be used. The old session keeps serving.</exception>
    public Task ReloadAsync(ServedModel model, CancellationToken cancellationToken) => ChangeAsync(
        () =>
        {
            model.Reload();
            return model;
        },
        model.Name,
        cancellationToken);

    /// <summary>Serves a model whose manifest appeared in one of the folders.</summary>
    /// <exception cref="Fault">The files cannot be used, or a model of that name is served.</exception>
    public Task<ServedModel> LoadFileAsync(string file, CancellationToken cancellationToken) =>
        ChangeAsync(() => Serve(file), Path.GetFileNameWithoutExtension(file), cancellationToken);

    /// <summary>
    /// Stops serving a model; items in flight finish. NOT_FOUND if there is none; FAILED_PRECONDITION if it is the default one of
    /// its kind, which requests without a name need.
    /// </summary>
    public Task UnloadAsync(string name, CancellationToken cancellationToken) => ChangeAsync(
        () =>
        {
            var model = Find(name, "name");
            var kind = model.Info.Kind;
            if (DefaultOf(kind) == model)
            {
                throw new Fault(
                    FaultKind.FailedPrecondition,
                    Reasons.ModelIsDefault,
                    $"name must not be the default {Noun(kind)}; got '{Short(name)}'. Set Models:Default{kind} to another one and restart.",
                    "name").With(FaultKeys.Model, name);
            }
            _models.TryRemove(name, out _);
            List();
            _metrics.ForgetQueue(name);
            model.Retire();
            CoreLog.ModelRemoved(_log, name);
            return model;
        },
        name,
        cancellationToken);

    /// <summary>Manifests of the folders that have a model file, in the order of the folders.</summary>
    public IEnumerable<string> Files()
    {
        var models = _options.Models;
        string[] folders =
        [
            .. models.Directories, .. models.UseDefaults ? [DefaultFolder] : Array.Empty<string>(),
            .. models.UseOptional ? [OptionalFolder] : Array.Empty<string>(),
        ];
        return folders.Where(Directory.Exists)
            .SelectMany(static folder => Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal))
            .Where(static file => File.Exists(Path.ChangeExtension(file, ".onnx")));
    }

    /// <summary>Loads a model with its queue and threads.</summary>
    /// <param name="file">Path of the manifest.</param>
    /// <exception cref="ModelException">It cannot be loaded.</exception>
    public BatchRunner LoadRunner(string file)
    {
        var session = ModelLoader.Load(file, _options.Inference, _cache);
        var model = session.Model;
        var vectors = model.Manifest.Embeds ? $"{model.Dimension}-d" : "no vectors";
        CoreLog.ModelLoaded(
            _log, model.Name, model.Kind.ToString(), vectors, session.ExecutionProvider, model.Manifest.Description);
        foreach (var notice in session.Notices)
        {
            CoreLog.ModelNotice(_log, model.Name, notice);
        }
        return new(session, _options.Batching, _metrics, _time, _log, session.Cache?.BatchSize ?? 0);
    }

    /// <summary>
    /// Evicts idle models, the longest idle first, until the model fits into memory. UNAVAILABLE if those that could be
    /// evicted are in use.
    /// </summary>
    public void MakeRoom(ServedModel wanted)
    {
        var limit = _options.Models.MaxLoadedBytes;
        if (limit == 0)
        {
            return;
        }
        lock (_eviction)
        {
            var bytes = BytesInMemory(wanted);
            if (bytes > limit)
            {
                throw new ModelException(
                    wanted.File, $"must fit into Models:MaxLoadedBytes, {limit:N0} bytes; needs about {bytes:N0}");
            }
            while (Others().Sum(BytesInMemory) + bytes > limit)
            {
                if (!Others().OrderByDescending(model => model.Idle).Any(model => model.TryUnload()))
                {
                    throw new Fault(
                        FaultKind.Unavailable,
                        Reasons.ModelUnavailable,
                        $"There is no room for model '{wanted.Name}' while others are in use; "
                            + "try again, or raise Models:MaxLoadedBytes.",
                        "model",
                        TimeSpan.FromSeconds(1))
                        .With(FaultKeys.Model, wanted.Name)
                        .With(FaultKeys.Setting, "Models:MaxLoadedBytes");
                }
            }
        }

        IEnumerable<ServedModel> Others() => All.Where(model => model != wanted && model.Session is not null);
    }

    public void Dispose()
    {
        foreach (var model in All)
        {
            model.Dispose();
        }
        _changing.Dispose();
    }

    /// <summary>
    /// The manifests of the default models. A start without them would be found only with the first request.
    /// </summary>
    /// <exception cref="ModelException">There are none.</exception>
    internal static IReadOnlyList<string> DefaultManifests(string folder) =>
        Directory.Exists(folder) && Manifests(folder).ToList() is { Count: > 0 } files
            ? files
            : throw new ModelException(
                folder,
                $"the default models are missing from {folder}. Run ./build.sh models and build again, "
                    + "or start without them: --models none or --models DIR on the command line, "
                    + "or the setting Models:UseDefaults=false.");

    /// <summary>The manifests of the optional models.</summary>
    /// <exception cref="ModelException">There are none.</exception>
    internal static IReadOnlyList<string> OptionalManifests(string folder) =>
        Directory.Exists(folder) && Manifests(folder).ToList() is { Count: > 0 } files
            ? files
            : throw new ModelException(
                folder,
                $"the optional models are missing from {folder}. Run ./build.sh models and build again, "
                    + "or start without them: Models:UseOptional=false.");

    private static IEnumerable<string> Manifests(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new ModelException(directory, "is not a folder");
        }
        foreach (var file in Directory.EnumerateFiles(directory, "*.json").Order(StringComparer.Ordinal))
        {
            var model = Path.ChangeExtension(file, ".onnx");
            if (File.Exists(model))
            {
                yield return file;
            }
            // The folder may contain other JSON files, such as a tokenizer's.
            else if (ManifestFile.IsManifest(file))
            {
                throw new ModelException(
                    file, $"its model file '{Path.GetFileName(model)}' does not exist; copy it, or remove the manifest");
            }
        }
    }

    private static string Short(string name) => name.Length <= 64 ? name : name[..64] + "...";

    private static string Word(ModelKind kind) => ManifestFile.Word(kind);

    private static string Noun(ModelKind kind) => kind switch
    {
        ModelKind.Detector => "detector",
        ModelKind.Landmarks => "landmark model",
        _ => $"{Word(kind)} model",
    };

    private static string Article(ModelKind kind) => kind == ModelKind.Image ? "an" : "a";

    private static string Remedy(ModelKind kind) => kind is ModelKind.Liveness or ModelKind.Pose
        ? "set Models:UseOptional=true, or add one to Models:Directories"
        : "add one to Models:Directories";

    // Changes take turns, each on a thread of its own work: loading takes seconds.
    private async Task<ServedModel> ChangeAsync(Func<ServedModel> change, string name, CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            return await Task.Run(change, CancellationToken.None);
        }
        catch (ModelException e)
        {
            throw new Fault(
                FaultKind.FailedPrecondition, Reasons.ModelInvalid, $"Model '{Short(name)}' cannot be loaded: {e.Message}", "name", inner: e)
                .With(FaultKeys.Model, name);
        }
        finally
        {
            _changing.Release();
        }
    }

    private ServedModel Serve(string file)
    {
        var model = new ServedModel(file, ManifestFile.Read(file), this, _options.Batching, _time);
        if (_models.ContainsKey(model.Name))
        {
            throw new ModelException(file, $"is the second model called '{model.Name}'");
        }
        try
        {
            model.Load();
        }
        catch
        {
            model.Dispose();
            throw;
        }
        Add(model);
        _defaults.TryAdd(model.Info.Kind, model);
        return model;
    }

    private void Add(ServedModel model)
    {
        if (!_models.TryAdd(model.Name, model))
        {
            throw new ModelException(model.File, $"is the second model called '{model.Name}'");
        }
        List();
        _metrics.ObserveQueue(model.Name, () => model.InFlight);
    }

    private void List() => _all = [.. _models.Values.OrderBy(model => model.Name, StringComparer.Ordinal)];

    // A manifest that cannot be read is the one that is meant only if its file has the name.
    private string ManifestOf(string name)
    {
        foreach (var file in Files())
        {
            try
            {
                if (ManifestFile.Read(file).Name == name)
                {
                    return file;
                }
            }
            catch (ModelException) when (Path.GetFileNameWithoutExtension(file) != name)
            {
                // Another program's file, or the manifest of another model.
            }
        }
        throw new Fault(
            FaultKind.NotFound,
            Reasons.ModelNotFound,
            $"name must be that of a manifest with a model file in one of the folders of Models:Directories; got '{Short(name)}'.",
            "name").With(FaultKeys.Model, name);
    }

    private void ReportIgnored(IReadOnlyList<string> directories)
    {
        foreach (var directory in directories.Where(Directory.Exists))
        {
            var files = Directory.GetFiles(directory, "*.onnx");
            foreach (var file in files.Where(file => !File.Exists(Path.ChangeExtension(file, ".json"))))
            {
                CoreLog.ModelIgnored(_log, file);
            }
            if (files.Length == 0)
            {
                CoreLog.NoModels(_log, directory);
            }
        }
    }

    private void ChooseDefault(ModelKind kind, string name, List<ServedModel> models)
    {
        var chosen = models.FirstOrDefault(model => model.Info.Kind == kind && (name.Length == 0 || model.Name == name));
        if (chosen is not null)
        {
            _defaults[kind] = chosen;
        }
        else if (name.Length > 0)
        {
            throw new ModelException(
                name, $"cannot be the default {Noun(kind)}: there is no {Noun(kind)} of that name");
        }
    }

    private void LoadAtStart(List<ServedModel> models)
    {
        try
        {
            // The largest first, and one at a time to each processor, so that small models do not wait behind a large one.
            var largestFirst = models.OrderByDescending(model => ModelFile.Bytes(Path.ChangeExtension(model.File, ".onnx")));
            Partitioner.Create(largestFirst, EnumerablePartitionerOptions.NoBuffering).AsParallel().ForAll(model => model.Load());
        }
        catch (AggregateException e)
        {
            models.ForEach(model => model.Dispose());
            var errors = e.Flatten().InnerExceptions;
            ExceptionDispatchInfo.Throw(errors.FirstOrDefault(error => error is ModelException or Fault) ?? e);
        }
    }

    private long BytesInMemory(ServedModel model)
    {
        var bytes = ModelFile.Bytes(Path.ChangeExtension(model.File, ".onnx"));
        // If the processor may replace a device, models are counted as it runs them: only loading shows which it is.
        var inference = _options.Inference.AllowCpuFallback
            ? _options.Inference with { Provider = ExecutionProvider.Cpu }
            : _options.Inference;
        return bytes * SessionPlan.For(inference, model.Manifest.MaxBatch == 1, Environment.ProcessorCount, bytes).Copies;
    }
}
