using Embeddings.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Embeddings.Core.Models;

/// <summary>
/// Unloads idle models, reloads those whose files changed, and serves those that appear in the folders, while the host runs.
/// </summary>
internal sealed class ModelMaintenance(
    IServiceProvider services, EmbeddingCoreOptions options, TimeProvider time, ILogger<ModelCatalog> log) : BackgroundService
{
    private readonly ModelOptions _options = options.Models;

    // By the path of the manifest. A state of the files is used once, whether it could be loaded or not, so that a model that was
    // unloaded comes back only if its files change.
    private readonly Dictionary<string, (FileStamp Used, FileStamp Seen)> _stamps = new(StringComparer.Ordinal);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not in the constructor: all services are created before the first one starts, and resolving the catalog loads the
        // models.
        var catalog = services.GetRequiredService<ModelCatalog>();
        foreach (var model in catalog.All)
        {
            var stamp = FileStamp.Of(model.File);
            _stamps[model.File] = (stamp, stamp);
        }
        using var timer = new PeriodicTimer(_options.CheckEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await CheckAsync(catalog, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Expected: the host stops, or is disposed without having been stopped.
        }
    }

    private async Task CheckAsync(ModelCatalog catalog, CancellationToken cancellationToken)
    {
        foreach (var model in catalog.All)
        {
            var isIdle = _options.IdleUnload > TimeSpan.Zero && model.Session is not null && model.Idle >= _options.IdleUnload;
            if (isIdle && model.TryUnload())
            {
                CoreLog.ModelUnloaded(log, model.Name, _options.IdleUnload);
            }
        }
        if (!_options.Reload)
        {
            return;
        }
        var served = catalog.All.ToDictionary(static model => model.File, StringComparer.Ordinal);
        foreach (var file in served.Keys.Union(Found(catalog)).ToList())
        {
            if (IsChanged(file))
            {
                await (served.TryGetValue(file, out var model) ? ReloadAsync(catalog, model, cancellationToken) : AddAsync(catalog, file, cancellationToken));
            }
        }
    }

    // A folder may disappear, or be unreadable, for a while.
    private static List<string> Found(ModelCatalog catalog)
    {
        try
        {
            return [.. catalog.Files()];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    // A change counts only if it is the same in two checks: files are written piece by piece.
    private bool IsChanged(string file)
    {
        var now = FileStamp.Of(file);
        var (used, seen) = _stamps.GetValueOrDefault(file);
        var isChanged = now != used && now == seen;
        _stamps[file] = (isChanged ? now : used, now);
        return isChanged;
    }

    private async Task ReloadAsync(ModelCatalog catalog, ServedModel model, CancellationToken cancellationToken)
    {
        try
        {
            await catalog.ReloadAsync(model, cancellationToken);
            CoreLog.ModelReloaded(log, model.Name, model.Info.Fingerprint);
        }
        catch (Fault e)
        {
            // Once for each change; the old session keeps serving.
            CoreLog.ModelNotReloaded(log, model.Name, e.Message);
        }
    }

    private async Task AddAsync(ModelCatalog catalog, string file, CancellationToken cancellationToken)
    {
        if (!ManifestFile.IsManifest(file))
        {
            return;
        }
        try
        {
            var model = await catalog.LoadFileAsync(file, cancellationToken);
            CoreLog.ModelAdded(log, model.Name, file, model.Info.Fingerprint);
        }
        catch (Fault e)
        {
            // Once for each change.
            CoreLog.ModelNotAdded(log, file, e.Message);
        }
    }

    private readonly record struct FileStamp(DateTime Manifest, DateTime Model, long Length)
    {
        public static FileStamp Of(string file)
        {
            var model = new FileInfo(Path.ChangeExtension(file, ".onnx"));
            return new(File.GetLastWriteTimeUtc(file), model.LastWriteTimeUtc, model.Exists ? model.Length : -1);
        }
    }
}
