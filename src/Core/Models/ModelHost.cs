using Embeddings.Core.Batching;
using Embeddings.Core.Inference;

namespace Embeddings.Core.Models;

/// <summary>A model in memory with its queue: what the pipeline sends items to.</summary>
internal sealed class ModelHost : IDisposable
{
    private readonly BatchRunner _runner;

    public ModelHost(IEmbeddingModel model, BatchingOptions options, EmbeddingMetrics metrics, TimeProvider time, ILogger log)
    {
        Model = model;
        Queue = new(model, options, time);
        _runner = new(model, Queue, metrics, log);
    }

    public IEmbeddingModel Model { get; }

    public BatchQueue Queue { get; }

    /// <summary>
    /// Commits an item, and runs it on the caller's thread where it is alone, see <see cref="BatchRunner.Commit"/>.
    /// </summary>
    public Task<BatchResult> CommitHere(BatchItem item, CancellationToken cancellationToken) => _runner.Commit(item, cancellationToken);

    /// <summary>Callers in it; only <see cref="ModelSlot"/> counts them, under its lock.</summary>
    public int Users { get; set; }

    /// <summary>Stops its queue, waits for what runs, and unloads the model.</summary>
    public void Dispose()
    {
        _runner.Dispose();
        Queue.Dispose();
        Model.Dispose();
    }
}
