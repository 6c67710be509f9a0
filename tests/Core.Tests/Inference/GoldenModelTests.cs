using System.Runtime.InteropServices;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;

namespace Embeddings.Core.Tests.Inference;

/// <summary>Real models against outputs recorded from another version of the runtime, one item at a time.</summary>
public sealed class GoldenModelTests : IDisposable
{
    private static readonly float[] ImageNetMean = [123.675f, 116.28f, 103.53f];
    private static readonly float[] ImageNetStd = [58.395f, 57.12f, 57.375f];

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [MaterialTheory]
    [InlineData("mobilefacenet128_foamliu_fp32_dynbatch", "mobilefacenet128_4faces", 112, 128, 8)]
    [InlineData("mobilefacenet128_foamliu_fp32_b1", "mobilefacenet128_4faces", 112, 128, 1)]
    [InlineData("mobilenetv3small_576_fp32_dynbatch", "mobilenetv3small_4imgs", 224, 576, 8)]
    public void Vectors_are_the_recorded_ones_alone_and_batched(string file, string golden, int size, int dimension, int maxBatch)
    {
        using var model = Load(file, size, size, dimension);
        Assert.Equal(maxBatch, model.MaxBatch);
        var inputs = Floats(golden + ".input.f32");
        var outputs = Floats(golden + ".output.ort130.f32");
        using var tensor = model.CreateTensor();
        var length = 3 * size * size;
        for (var i = 0; i < 4; i++)
        {
            inputs.AsSpan(i * length, length).CopyTo(tensor.Item(0));
            model.Run(0, tensor, 0, 1);
            AssertNear(outputs.AsSpan(i * dimension, dimension), tensor.Vector(0));
        }
        if (maxBatch == 1)
        {
            return;
        }
        for (var i = 0; i < 8; i++)
        {
            inputs.AsSpan(i % 4 * length, length).CopyTo(tensor.Item(i));
        }
        foreach (var count in (int[])[4, 8, 7])
        {
            model.Run(0, tensor, 0, count);
            for (var i = 0; i < count; i++)
            {
                AssertNear(outputs.AsSpan(i % 4 * dimension, dimension), tensor.Vector(i));
            }
        }
    }

    [MaterialFact]
    public void A_model_that_is_not_square_gives_the_same_alone_and_batched()
    {
        using var model = Load("osnet_x0_25_msmt17_512_fp32_dynbatch", 128, 256, 512);
        Assert.Equal(8, model.MaxBatch);
        using var tensor = model.CreateTensor();
        for (var i = 0; i < 8; i++)
        {
            ProbeImage.Draw(tensor.Item(i), model.Manifest.Input, i);
        }
        model.Run(0, tensor, 0, 8);
        var batched = Enumerable.Range(0, 8).Select(i => tensor.Vector(i).ToArray()).ToArray();
        for (var i = 0; i < 8; i++)
        {
            model.Run(0, tensor, i, 1);
            AssertNear(batched[i], tensor.Vector(i), 1e-5f);
        }
    }

    [MaterialFact]
    public void Float16_with_an_output_of_rank_four_runs()
    {
        using var model = Load("SqueezeNet_fp16", 224, 224, 1000, new() { Width = 224, Height = 224, ColorOrder = ColorOrder.Bgr, Mean = [104, 117, 123] });
        Assert.Equal(1, model.MaxBatch);
        using var tensor = model.CreateTensor();
        ProbeImage.Draw(tensor.Item(0), model.Manifest.Input, 0);
        model.Run(0, tensor, 0, 1);
        // A softmax: its values sum to 1.
        Assert.Equal(1, tensor.Vector(0).ToArray().Sum(), 0.01f);
    }

    [MaterialTheory]
    [InlineData("face_detection_yunet_2023mar", 640, 640)]
    [InlineData("version-RFB-320", 320, 240)]
    public void Detectors_are_refused(string file, int width, int height) =>
        Assert.Contains("detector", Assert.Throws<ModelException>(() => Load(file, width, height, 128)).Message);

    private EmbeddingSession Load(string file, int width, int height, int dimension, InputSpec? input = null)
    {
        var manifest = TemporaryModels.Manifest(width, height, dimension) with
        {
            Input = input ?? new() { Width = width, Height = height, Mean = ImageNetMean, Std = ImageNetStd },
        };
        return ModelLoader.Load(_models.Copy(Material.Path("models", file + ".onnx"), manifest), new());
    }

    private static float[] Floats(string file) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Material.Path("golden", file))).ToArray();

    private static void AssertNear(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, float tolerance = 1e-4f)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.Equal(expected[i], actual[i], tolerance);
        }
    }
}
