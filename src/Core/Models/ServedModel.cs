using Embeddings.Core.Batching;
using Embeddings.Core.Inference;
using Embeddings.Core.Memory;
using Embeddings.Primitives;

namespace Embeddings.Core.Models;

/// <summary>
/// A model that requests can name, whether it is in memory or not. Loads it with the first request if needed, and counts the
/// items in flight: a session that is unloaded or replaced stays until the last of them has finished, so that no call is
/// dropped.
/// </summary>
internal sealed class ServedModel : IDisposable
{
    // Memory an item costs besides the bytes of its image: messages, tasks, the vector.
    private const int Overhead = 4096;

    // A run this short delays the other work of the caller's thread no more than the run itself does by taking the processors.
    private static readonly TimeSpan Quick = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly AdmissionGate _gate;
    private readonly ModelCatalog _catalog;
    private readonly TimeProvider _time;
    private ModelInfo _info;
    private BatchRunner? _runner;
    private Task? _loading;
    private long _lastUsed;
    private long _nanosecondsPerItem = 1_000_000;
    private bool _disposed;
    private bool _retired;

    /// <param name="file">Path of the manifest.</param>
    /// <param name="manifest">Its content.</param>
    /// <param name="catalog">Loads the model, and makes room for it.</param>
    /// <param name="batching">Limits of the queue.</param>
    /// <param name="time">The clock.</param>
    public ServedModel(
        string file, ModelManifest manifest, ModelCatalog catalog, BatchingOptions batching, TimeProvider time)
    {
        File = file;
        _info = new(manifest);
        _catalog = catalog;
        _time = time;
        _lastUsed = time.GetTimestamp();
        _gate = new(batching.QueueLimit, batching.QueueBytes);
    }

    /// <summary>Path of the manifest.</summary>
    public string File { get; }

    /// <summary>The model as its manifest describes it; known without loading it.</summary>
    public ModelInfo Info => Volatile.Read(ref _info);

    public string Name => Info.Name;

    public ModelManifest Manifest => Info.Manifest;

    /// <summary>The session in memory, or null if the model is not loaded.</summary>
    public IEmbeddingSession? Session => Volatile.Read(ref _runner)?.Session;

    /// <summary>
    /// The trials of batch sizes in the session in memory, or null if the model is not loaded. They end when it is unloaded.
    /// </summary>
    public BatchTrials? Trials => Volatile.Read(ref _runner)?.Trials;

    /// <summary>Items admitted and not finished, in all sessions.</summary>
    public int InFlight => _gate.Items;

    /// <summary>Time since the last item finished; 0 while there are items in flight.</summary>
    public TimeSpan Idle => InFlight > 0 ? TimeSpan.Zero : _time.GetElapsedTime(Interlocked.Read(ref _lastUsed));

    /// <summary>True if the run of one item is so short that its caller may do it on its own thread.</summary>
    public bool IsQuick => Interlocked.Read(ref _nanosecondsPerItem) < Quick.TotalNanoseconds;

    /// <summary>
    /// Admits an item to the queue and loads the model if needed. RESOURCE_EXHAUSTED if the queue is full and the caller does
    /// not wait; UNAVAILABLE if the model cannot be loaded.
    /// </summary>
    /// <param name="bytes">Bytes of the item's image.</param>
    /// <param name="wait">True to wait while the queue is full.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<ModelLease> AdmitAsync(int bytes, bool wait, CancellationToken cancellationToken)
    {
        var cost = bytes + (long)Overhead;
        var owner = Caller.Current;
        if (wait)
        {
            await _gate.EnterAsync(owner, cost, cancellationToken);
        }
        else if (!_gate.TryEnter(owner, cost))
        {
            throw QueueFull();
        }
        _catalog.Tuner.Interrupt();
        try
        {
            return new(this, await EnterAsync(cancellationToken), owner, cost);
        }
        catch
        {
            _gate.Exit(owner, cost);
            throw;
        }
    }

    /// <summary>
    /// Ends what <see cref="AdmitAsync"/> began; called exactly once, by <see cref="ModelLease.Release"/>.
    /// </summary>
    public void Release(BatchRunner runner, object owner, long cost)
    {
        bool last;
        lock (_lock)
        {
            Interlocked.Exchange(ref _lastUsed, _time.GetTimestamp());
            last = --runner.Leases == 0 && runner != _runner;
        }
        if (last)
        {
            // Disposal waits for the session's threads, and the caller may be one of them.
            _ = Task.Run(runner.Dispose);
        }
        _gate.Exit(owner, cost);
    }

    /// <summary>Loads the model now.</summary>
    /// <exception cref="ModelException">It cannot be loaded.</exception>
    public void Load()
    {
        _catalog.MakeRoom(this);
        Replace(_catalog.LoadRunner(File));
    }

    /// <summary>Unloads the model if no items are in flight.</summary>
    public bool TryUnload()
    {
        BatchRunner? runner;
        lock (_lock)
        {
            if (_runner is null or { Leases: > 0 })
            {
                return false;
            }
            runner = _runner;
            _runner = null;
        }
        runner.Dispose();
        return true;
    }

    /// <summary>
    /// Reads the manifest again, and the model if it is in memory. Items in flight finish on the old session, which stays if
    /// the new one cannot be loaded.
    /// </summary>
    /// <exception cref="ModelException">The new files cannot be used.</exception>
    public void Reload()
    {
        var manifest = ManifestFile.Read(File);
        if (manifest.Name != Name)
        {
            throw new ModelException(File, $"is now called '{manifest.Name}' instead of '{Name}'; restart to serve it");
        }
        if (Session is not null)
        {
            // Without making room: the old session serves until the new one is ready.
            Replace(_catalog.LoadRunner(File));
        }
        else
        {
            Volatile.Write(ref _info, new(manifest));
        }
    }

    /// <summary>Stops serving the model: items in flight finish, and later ones fail.</summary>
    public void Retire()
    {
        BatchRunner? unused;
        lock (_lock)
        {
            _retired = true;
            // With leases, the last of them disposes it.
            unused = _runner is { Leases: 0 } ? _runner : null;
            _runner = null;
        }
        unused?.Dispose();
    }

    /// <summary>
    /// Records the speed of the model, for the retry delay of a full queue. A lost update between threads does no
    /// harm.
    /// </summary>
    public void Record(in BatchResult result)
    {
        var now = (long)(result.Ran.TotalNanoseconds / result.BatchSize);
        Interlocked.Exchange(ref _nanosecondsPerItem, ((Interlocked.Read(ref _nanosecondsPerItem) * 7) + now) / 8);
    }

    /// <summary>Stops the queue, waits for the current runs, and unloads the model.</summary>
    public void Dispose()
    {
        BatchRunner? runner;
        lock (_lock)
        {
            _disposed = true;
            runner = _runner;
            _runner = null;
        }
        runner?.Dispose();
    }

    private async ValueTask<BatchRunner> EnterAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task loading;
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (_retired)
                {
                    throw _catalog.NotFound(Name);
                }
                if (_runner is not null)
                {
                    _runner.Leases++;
                    return _runner;
                }
                loading = _loading ??= Task.Run(LoadForRequest, CancellationToken.None);
            }
            await loading.WaitAsync(cancellationToken);
        }
    }

    private void LoadForRequest()
    {
        try
        {
            Load();
        }
        catch (ModelException e)
        {
            throw new Fault(
                FaultKind.Unavailable,
                Reasons.ModelUnavailable,
                $"Model '{Name}' cannot be loaded: {e.Message}",
                "model",
                TimeSpan.FromSeconds(5),
                e).With(FaultKeys.Model, Name);
        }
        finally
        {
            lock (_lock)
            {
                _loading = null;
            }
        }
    }

    private void Replace(BatchRunner runner)
    {
        BatchRunner? unused;
        lock (_lock)
        {
            if (_disposed || _retired)
            {
                unused = runner;
            }
            else
            {
                unused = _runner is { Leases: 0 } ? _runner : null;
                _runner = runner;
                Volatile.Write(ref _info, runner.Session.Model);
            }
        }
        Interlocked.Exchange(ref _lastUsed, _time.GetTimestamp());
        unused?.Dispose();
    }

    // The caller should come back when about half of the queue has run.
    private Fault QueueFull()
    {
        var wait = TimeSpan.FromMicroseconds(_gate.Items * (Interlocked.Read(ref _nanosecondsPerItem) / 2000.0));
        return new Fault(
            FaultKind.ResourceExhausted,
            Reasons.QueueFull,
            $"The queue of model '{Name}' is full; try again, or raise Batching:QueueLimit or Batching:QueueBytes.",
            retryAfter: TimeSpan.FromMilliseconds(Math.Clamp(wait.TotalMilliseconds, 5, 10_000)))
            .With(FaultKeys.Model, Name);
    }
}

/// <summary>
/// An item's admission to the queue of a loaded model. Released exactly once: when the item has run or failed.
/// </summary>
internal readonly record struct ModelLease(ServedModel Model, BatchRunner Runner, object Owner, long Cost)
{
    /// <summary>
    /// Preprocessing parameters of the session; the model may have been replaced since the request was checked.
    /// </summary>
    public InputSpec Input => Manifest.Input;

    /// <summary>The manifest of the session.</summary>
    public ModelManifest Manifest => Runner.Session.Model.Manifest;

    public void Release() => Model.Release(Runner, Owner, Cost);
}
