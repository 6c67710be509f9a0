using Embeddings.Core.Inference;

namespace Embeddings.Core.Batching;

/// <summary>
/// The batches of one queue. Each has a tensor, made when it is first needed and used again and again; how many there are bounds the memory. Belongs to its
/// queue, which alone changes it, under its lock.
/// </summary>
/// <param name="model">Makes the tensors.</param>
/// <param name="most">Batches at once, at least 1.</param>
internal sealed class BatchPool(IEmbeddingModel model, int most) : IDisposable
{
    private readonly Stack<Batch> _free = new();
    private readonly BatchSizer _sizes = new(model.MaxBatch);
    private int _left = most;

    /// <summary>An empty batch of the size that is the fastest; null while all are in use.</summary>
    public Batch? TryOpen()
    {
        if (!_free.TryPop(out var batch))
        {
            if (_left == 0)
            {
                return null;
            }
            _left--;
            batch = new Batch(model.CreateTensor());
        }
        batch.Size = _sizes.Next();
        return batch;
    }

    /// <summary>Takes a batch back.</summary>
    /// <param name="batch">One that nobody uses any more.</param>
    /// <param name="tells">Whether its run was one of those by which sizes are compared.</param>
    public void Return(Batch batch, bool tells)
    {
        if (tells && batch.Ran > 0)
        {
            _sizes.Ran(batch.Ran, batch.Took);
        }
        batch.Reset();
        _free.Push(batch);
    }

    /// <summary>Frees the tensors of the batches that are not in use.</summary>
    public void Dispose()
    {
        foreach (var batch in _free)
        {
            batch.Tensor.Dispose();
        }
        _free.Clear();
    }
}
