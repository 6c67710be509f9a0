using Embeddings.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Embeddings.Core.Models;

/// <summary>Looks after the models while the server runs: unloads what nobody asks for, and loads anew what has changed on disk.</summary>
internal sealed class ModelUpkeep(IServiceProvider services, ModelOptions options, TimeProvider time, ILogger<ModelCatalog> log) : BackgroundService
{
    private readonly Dictionary<ModelSlot, (Stamp Served, Stamp Seen)> _stamps = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not in the constructor: all services are made before the first one starts, and to ask for the models is to load them.
        foreach (var slot in services.GetRequiredService<ModelCatalog>().All)
        {
            _stamps[slot] = (Stamp.Of(slot.File), Stamp.Of(slot.File));
        }
        using var timer = new PeriodicTimer(options.CheckEvery, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Look();
            }
        }
        catch (OperationCanceledException)
        {
            // Expected: the server stops, or is disposed of without having been stopped.
        }
    }

    private void Look()
    {
        foreach (var slot in _stamps.Keys.ToList())
        {
            if (options.IdleUnload > TimeSpan.Zero && slot.Loaded is not null && slot.Idle >= options.IdleUnload && slot.TryUnload())
            {
                CoreLog.ModelUnloaded(log, slot.Name, options.IdleUnload);
            }
            if (options.Reload)
            {
                ReloadChanged(slot);
            }
        }
    }

    // A change counts when it has held still for one look: files are written piece by piece.
    private void ReloadChanged(ModelSlot slot)
    {
        var now = Stamp.Of(slot.File);
        var (served, seen) = _stamps[slot];
        _stamps[slot] = (served, now);
        if (now == served || now != seen)
        {
            return;
        }
        try
        {
            slot.Reload();
            CoreLog.ModelReloaded(log, slot.Name, slot.Fingerprint);
        }
        catch (Exception e) when (e is ModelException or ManifestException or Fault)
        {
            // Once for each change; the old one goes on serving.
            CoreLog.ModelNotReloaded(log, slot.Name, e.Message);
        }
        _stamps[slot] = (now, now);
    }

    private readonly record struct Stamp(DateTime Manifest, DateTime Model, long Length)
    {
        public static Stamp Of(string file)
        {
            var model = new FileInfo(Path.ChangeExtension(file, ".onnx"));
            return new(File.GetLastWriteTimeUtc(file), model.LastWriteTimeUtc, model.Exists ? model.Length : -1);
        }
    }
}
