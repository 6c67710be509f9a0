using Embeddings.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Embeddings.Core.Models;

/// <summary>Unloads idle models and reloads those whose files changed, while the host runs.</summary>
internal sealed class ModelMaintenance(
    IServiceProvider services, EmbeddingCoreOptions options, TimeProvider time, ILogger<ModelCatalog> log) : BackgroundService
{
    private readonly ModelOptions _options = options.Models;
    private readonly Dictionary<ServedModel, (FileStamp Served, FileStamp Seen)> _stamps = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not in the constructor: all services are created before the first one starts, and resolving the catalog loads the
        // models.
        foreach (var model in services.GetRequiredService<ModelCatalog>().All)
        {
            var stamp = FileStamp.Of(model.File);
            _stamps[model] = (stamp, stamp);
        }
        using var timer = new PeriodicTimer(_options.CheckEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Check();
            }
        }
        catch (OperationCanceledException)
        {
            // Expected: the host stops, or is disposed without having been stopped.
        }
    }

    private void Check()
    {
        foreach (var model in _stamps.Keys.ToList())
        {
            var isIdle = _options.IdleUnload > TimeSpan.Zero && model.Session is not null && model.Idle >= _options.IdleUnload;
            if (isIdle && model.TryUnload())
            {
                CoreLog.ModelUnloaded(log, model.Name, _options.IdleUnload);
            }
            if (_options.Reload)
            {
                ReloadChanged(model);
            }
        }
    }

    // A change counts only if it is the same in two checks: files are written piece by piece.
    private void ReloadChanged(ServedModel model)
    {
        var now = FileStamp.Of(model.File);
        var (served, seen) = _stamps[model];
        _stamps[model] = (served, now);
        if (now == served || now != seen)
        {
            return;
        }
        try
        {
            model.Reload();
            CoreLog.ModelReloaded(log, model.Name, model.Info.Fingerprint);
        }
        catch (Exception e) when (e is ModelException or Fault)
        {
            // Once for each change; the old session keeps serving.
            CoreLog.ModelNotReloaded(log, model.Name, e.Message);
        }
        _stamps[model] = (now, now);
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
