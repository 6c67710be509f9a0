namespace Embeddings.Benchmarks.Models;

/// <summary>Networks of random weights: what they cost is what is wanted of them.</summary>
internal static class Networks
{
    public const int Dimension = 512;

    /// <summary>The mean over the pixels, spread to 512 numbers: a model that costs next to nothing, so that everything else shows.</summary>
    public static Network Free() => new Network("free", 112, seed: 3).GlobalAverage().Dense(Dimension);
}
