using Embeddings.Tooling.Onnx;
using static Embeddings.Tooling.Onnx.Attributes;

namespace Embeddings.TestModels;

/// <summary>
/// Layers of both descriptors. Each processes the items of a batch independently (no reduction over the batch, no
/// quantization by range), so that the items never affect each other.
/// </summary>
public static class Layers
{
    /// <summary>Converts red, green and blue to brightness (ITU-R BT.601 weights).</summary>
    public static string Gray(this GraphBuilder graph, string rgb) =>
        graph.Node("Conv", [rgb, graph.Floats([Filters.Round(0.299), Filters.Round(0.587), Filters.Round(0.114)], 1, 3, 1, 1)]);

    /// <summary>Averages squares of <paramref name="size"/> pixels at a distance of <paramref name="stride"/>.</summary>
    public static string Average(this GraphBuilder graph, string input, long size, long stride) =>
        graph.Node("AveragePool", [input], Ints("kernel_shape", size, size), Ints("strides", stride, stride));

    /// <summary>
    /// Convolves one channel with several square kernels, without padding: zeros would create an edge around every
    /// image.
    /// </summary>
    public static string Bank(this GraphBuilder graph, string input, float[] kernels, int size, float bias = 0)
    {
        long count = kernels.Length / (size * size);
        var weights = graph.Floats(kernels, count, 1, size, size);
        return bias == 0
            ? graph.Node("Conv", [input, weights])
            : graph.Node("Conv", [input, weights, graph.Floats([.. Enumerable.Repeat(bias, (int)count)], count)]);
    }

    /// <summary>
    /// Sums each of 8 channels under overlapping Gaussian windows, so that a small shift changes the cells little.
    /// </summary>
    public static string Cells(this GraphBuilder graph, string input, int height, int width, long strideY, long strideX)
    {
        var window = Filters.Gaussian(height, width, height / 3.0, width / 3.0);
        var weights = graph.Floats(Filters.Repeat(window, 8), 8, 1, height, width);
        return graph.Node("Conv", [input, weights], Int("group", 8), Ints("strides", strideY, strideX));
    }

    /// <summary>
    /// Converts a map of sums to a block of the descriptor: square roots (large values would dominate), minus their
    /// mean (all
    /// are positive, so every cosine would be near 1), scaled to length <paramref name="weight"/>. A map without contrast
    /// gives a short block, never NaN.
    /// </summary>
    public static string Block(this GraphBuilder graph, string input, int length, double weight, float epsilon)
    {
        var flat = graph.Node("Flatten", [graph.Node("Sqrt", [input])], Int("axis", 1));
        var scale = Filters.Round(weight / Math.Sqrt(length));
        // Enough to give an image of one color a direction: a length of 0.003 against 1.
        var bias = (float)Math.ScaleB(1, -9);
        var offsets = Enumerable.Range(0, length).Select(i => i % 2 == 0 ? bias : -bias).ToArray();
        return graph.Node(
            "LayerNormalization",
            [flat, graph.Floats([.. Enumerable.Repeat(scale, length)], length), graph.Floats(offsets, length)],
            Int("axis", 1),
            Float("epsilon", epsilon));
    }
}
