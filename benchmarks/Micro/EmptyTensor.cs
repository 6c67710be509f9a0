using Embeddings.Core.Inference;
using Embeddings.Core.Models;

namespace Embeddings.Benchmarks.Micro;

/// <summary>The tensor of a model that does nothing.</summary>
internal sealed class EmptyTensor(int capacity, int itemLength, int dimension) : BatchTensor
{
    private readonly float[] _input = new float[capacity * itemLength];
    private readonly float[] _output = new float[capacity * dimension];

    public override int Capacity => capacity;

    public override Span<float> Item(int index) => _input.AsSpan(index * itemLength, itemLength);

    public override Span<float> Vector(int index) => _output.AsSpan(index * dimension, dimension);

    public override void Dispose()
    {
    }
}
