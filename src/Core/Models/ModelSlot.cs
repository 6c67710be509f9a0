using Embeddings.Core.Batching;
using Embeddings.Core.Inference;
using Embeddings.Primitives;

namespace Embeddings.Core.Models;

/// <summary>
/// A model's place in the catalog, whether it is in memory or not. Callers enter what is loaded and leave it again; a model that is unloaded or replaced
/// meanwhile goes when the last of them has left, so that no call is dropped.
/// </summary>
internal sealed class ModelSlot : IDisposable
{
    // What an item's picture costs besides its own bytes: messages, tasks, the vector.
    private const int Overhead = 4096;

    // A run this short delays what else the caller's thread would do no more than the run itself delays it by taking the processors.
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly Func<string, ModelHost> _load;
    private readonly ModelBudget _budget;
    private readonly TimeProvider _time;
    private Identity _identity;
    private ModelHost? _host;
    private Task? _loading;
    private long _lastUsed;
    private long _nanosecondsPerItem = 1_000_000;
    private bool _disposed;

    public ModelSlot(string file, ModelManifest manifest, Func<string, ModelHost> load, ModelBudget budget, BatchingOptions batching, TimeProvider time)
    {
        File = file;
        _identity = new(manifest, Models.Fingerprint.Of(manifest));
        _load = load;
        _budget = budget;
        _time = time;
        _lastUsed = time.GetTimestamp();
        Gate = new(batching.QueueLimit, batching.QueueBytes);
        budget.Add(this);
    }

    /// <summary>Its manifest's path.</summary>
    public string File { get; }

    public string Name => Manifest.Name;

    public ModelManifest Manifest => Volatile.Read(ref _identity).Manifest;

    /// <summary>What collections remember; known without loading it.</summary>
    public string Fingerprint => Volatile.Read(ref _identity).Fingerprint;

    /// <summary>Bounds what is on its way, whichever load of the model it goes to.</summary>
    public AdmissionGate Gate { get; }

    /// <summary>The model in memory; null while it is not.</summary>
    public IEmbeddingModel? Loaded => Volatile.Read(ref _host)?.Model;

    /// <summary>Since when nobody has been in it.</summary>
    public TimeSpan Idle => Gate.Items > 0 ? TimeSpan.Zero : _time.GetElapsedTime(Interlocked.Read(ref _lastUsed));

    /// <summary>Whether a run of one item is over so soon that its caller may as well wait for it in place.</summary>
    public bool IsQuick => Interlocked.Read(ref _nanosecondsPerItem) < Quick.TotalNanoseconds;

    /// <summary>What an item counts for at the gate.</summary>
    public static long CostOf(int bytes) => bytes + Overhead;

    /// <summary>The model in memory, loaded first where it is not; stays until <see cref="Exit"/>. UNAVAILABLE where it cannot be loaded.</summary>
    public async ValueTask<ModelHost> EnterAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task loading;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (_host is not null)
                {
                    _host.Users++;
                    return _host;
                }
                loading = _loading ??= Task.Run(Load, CancellationToken.None);
            }
            await loading.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Leaves what was entered.</summary>
    public void Exit(ModelHost host)
    {
        bool last;
        lock (_lock)
        {
            Interlocked.Exchange(ref _lastUsed, _time.GetTimestamp());
            last = --host.Users == 0 && host != _host;
        }
        if (last)
        {
            Discard(host);
        }
    }

    /// <summary>Loads it now. Throws what the loader throws.</summary>
    public void LoadNow() => Put(LoadFile());

    /// <summary>Takes it out of memory if nobody is in it.</summary>
    public bool TryUnload()
    {
        ModelHost? host;
        lock (_lock)
        {
            if (_host is null or { Users: > 0 })
            {
                return false;
            }
            (host, _host) = (_host, null);
        }
        host.Dispose();
        return true;
    }

    /// <summary>Reads manifest and model anew. Who is in the old one stays there until done. Throws what the loader throws, and keeps the old one then.</summary>
    public void Reload()
    {
        var manifest = ManifestReader.Read(File);
        if (manifest.Name != Name)
        {
            throw new ModelException(File, $"calls itself '{manifest.Name}' now instead of '{Name}': restart to serve it");
        }
        if (Loaded is not null)
        {
            // The old one stays in memory meanwhile: it is what serves.
            Put(_load(File));
        }
        else
        {
            Volatile.Write(ref _identity, new(manifest, Models.Fingerprint.Of(manifest)));
        }
    }

    /// <summary>What a caller is told that finds the queue full: come back when about half of it has run.</summary>
    public Fault QueueFull()
    {
        var wait = TimeSpan.FromMicroseconds(Gate.Items * (Interlocked.Read(ref _nanosecondsPerItem) / 2000.0));
        return new(
            FaultKind.ResourceExhausted,
            Reasons.QueueFull,
            $"the queue of model '{Name}' is full; try again, or raise Batching:QueueLimit or Batching:QueueBytes",
            retryAfter: TimeSpan.FromMilliseconds(Math.Clamp(wait.TotalMilliseconds, 5, 10_000)));
    }

    /// <summary>Learns how fast the model is, for <see cref="QueueFull"/>. A lost update between threads does no harm.</summary>
    public void Learn(in BatchResult result)
    {
        var now = (long)(result.Ran.TotalNanoseconds / result.BatchSize);
        Interlocked.Exchange(ref _nanosecondsPerItem, ((Interlocked.Read(ref _nanosecondsPerItem) * 7) + now) / 8);
    }

    /// <summary>Stops its queue, waits for what runs, and unloads the model.</summary>
    public void Dispose()
    {
        ModelHost? host;
        lock (_lock)
        {
            _disposed = true;
            (host, _host) = (_host, null);
        }
        host?.Dispose();
    }

    private void Load()
    {
        try
        {
            Put(LoadFile());
        }
        catch (Exception e) when (e is ModelException or ManifestException)
        {
            throw new Fault(FaultKind.Unavailable, Reasons.ModelUnavailable, $"the model '{Name}' cannot be loaded: {e.Message}", "model", TimeSpan.FromSeconds(5), e);
        }
        finally
        {
            lock (_lock)
            {
                _loading = null;
            }
        }
    }

    private ModelHost LoadFile()
    {
        _budget.MakeRoom(this);
        return _load(File);
    }

    private void Put(ModelHost host)
    {
        ModelHost? old;
        bool free;
        lock (_lock)
        {
            if (_disposed)
            {
                (old, free) = (host, true);
            }
            else
            {
                (old, _host) = (_host, host);
                Volatile.Write(ref _identity, new(host.Model.Manifest, host.Model.Fingerprint));
                free = old is { Users: 0 };
            }
        }
        Interlocked.Exchange(ref _lastUsed, _time.GetTimestamp());
        if (free)
        {
            old!.Dispose();
        }
    }

    // Disposal waits for the model's threads, and the caller may be one of them.
    private static void Discard(ModelHost host) => _ = Task.Run(host.Dispose);

    private sealed record Identity(ModelManifest Manifest, string Fingerprint);
}
