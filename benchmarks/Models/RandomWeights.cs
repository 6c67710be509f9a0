using Embeddings.Tooling.Onnx;

namespace Embeddings.Benchmarks.Models;

/// <summary>Weights nobody trained: normally distributed, of the variance that keeps activations alive through many layers (He et al., 2015).</summary>
internal sealed class RandomWeights(int seed)
{
    private readonly Random _random = new(seed);

    /// <summary>The number of values drawn.</summary>
    public long Parameters { get; private set; }

    public string Draw(GraphBuilder graph, int fanIn, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (var size in shape)
        {
            count *= size;
        }
        Parameters += count;
        var (values, deviation) = (new float[count], Math.Sqrt(2.0 / fanIn));
        for (var i = 0; i < values.Length; i++)
        {
            // Box and Muller.
            values[i] = (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble()));
        }
        return graph.Floats(values, shape);
    }

    public string Constant(GraphBuilder graph, float value, int count)
    {
        Parameters += count;
        return graph.Floats([.. Enumerable.Repeat(value, count)], count);
    }
}
