namespace Embeddings.Core.Inference;

/// <summary>The input and the output of one batch: buffers made once and reused for every run.</summary>
internal abstract class BatchTensor : IDisposable
{
    /// <summary>Items it has room for.</summary>
    public abstract int Capacity { get; }

    /// <summary>The input of one item: 3 x height x width floats, channels first. Not thread-safe for one item; items are independent.</summary>
    public abstract Span<float> Item(int index);

    /// <summary>The raw vector of one item after a run: as many floats as the model's dimension.</summary>
    public abstract Span<float> Vector(int index);

    /// <inheritdoc/>
    public abstract void Dispose();
}
