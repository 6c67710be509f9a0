using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Models;

/// <summary>Runs of a model on the probe images, compared value by value.</summary>
internal static class Batches
{
    private const float Tolerance = 1e-5f;

    /// <summary>The results of one batch: raw vectors, or what the outputs mean.</summary>
    public static float[][] Run(EmbeddingSession model, int slot, int count)
    {
        using var tensor = Draw(model, count);
        model.Run(slot, tensor, 0, count);
        return [.. Enumerable.Range(0, count).Select(tensor.TakeResult)];
    }

    /// <summary>Every item of the largest batch gets the result that it gets alone.</summary>
    public static void AssertIndependent(EmbeddingSession model)
    {
        Assert.Equal(model.Manifest.MaxBatch, model.MaxBatch);
        var together = Run(model, 0, model.MaxBatch);
        using var tensor = Draw(model, model.MaxBatch);
        var alone = new float[model.MaxBatch][];
        for (var i = 0; i < alone.Length; i++)
        {
            model.Run(0, tensor, i, 1);
            alone[i] = tensor.TakeResult(i);
        }
        AssertEqual(alone, together);
    }

    public static void AssertEqual(float[][] expected, float[][] actual, float tolerance = Tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i].Length, actual[i].Length);
            for (var d = 0; d < expected[i].Length; d++)
            {
                Assert.Equal(expected[i][d], actual[i][d], tolerance);
            }
        }
    }

    private static BatchTensor Draw(EmbeddingSession model, int count)
    {
        var tensor = model.CreateTensor();
        for (var i = 0; i < count; i++)
        {
            ProbeImage.Draw(tensor.Item(i), model.Manifest.Input, i);
        }
        return tensor;
    }
}
