using Embeddings.Server.Batching;
using Embeddings.Server.Diagnostics;
using Embeddings.Server.Inference;

namespace Embeddings.Server.Pipeline;

/// <summary>A model with its queue: what the pipeline sends items to.</summary>
internal sealed class ModelHost : IDisposable
{
    // What an item's picture costs besides its own bytes: messages, tasks, the vector.
    private const int Overhead = 4096;

    private readonly BatchRunner _runner;
    private readonly EmbeddingMetrics _metrics;
    private long _nanosecondsPerItem = 1_000_000;

    public ModelHost(IEmbeddingModel model, BatchingOptions options, EmbeddingMetrics metrics, TimeProvider time, ILogger log)
    {
        Model = model;
        Gate = new(options.QueueLimit, options.QueueBytes);
        Queue = new(model, options, time);
        _metrics = metrics;
        _runner = new(model, Queue, metrics, log);
        metrics.ObserveQueue(model.Manifest.Name, () => Gate.Items);
    }

    public IEmbeddingModel Model { get; }

    public AdmissionGate Gate { get; }

    public BatchQueue Queue { get; }

    /// <summary>What an item counts for at the gate.</summary>
    public static long CostOf(int bytes) => bytes + Overhead;

    /// <summary>What a caller is told that finds the queue full: come back when about half of it has run.</summary>
    public Fault QueueFull()
    {
        var wait = TimeSpan.FromMicroseconds(Gate.Items * (Interlocked.Read(ref _nanosecondsPerItem) / 2000.0));
        return new(
            FaultKind.ResourceExhausted,
            Reasons.QueueFull,
            $"the queue of model '{Model.Manifest.Name}' is full; try again, or raise Batching:QueueLimit or Batching:QueueBytes",
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
        _metrics.ObserveQueue(Model.Manifest.Name, null);
        _runner.Dispose();
        Queue.Dispose();
        Model.Dispose();
    }
}
