using Embeddings.Core;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Models.Adding;

namespace Embeddings.Tooling.Tests.Models.Adding;

/// <summary>Adds real models.</summary>
public sealed class MaterialModelTests : IDisposable
{
    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [MaterialTheory]
    [InlineData("mobilefacenet128_foamliu_fp32_b1", "mobilefacenet-imagenet", null, 112, 112, 128, 1)]
    [InlineData("mobilefacenet128_foamliu_fp32_dynbatch", "mobilefacenet-imagenet", null, 112, 112, 128, 32)]
    [InlineData("osnet_x0_25_msmt17_512_fp32_dynbatch", "imagenet-torchvision", null, 128, 256, 512, 32)]
    [InlineData("mobilenetv3small_576_fp32_dynbatch", "imagenet-torchvision", null, 224, 224, 576, 32)]
    [InlineData("mobilenetv2-12-int8", "imagenet-torchvision", "464_quantized", 224, 224, 1280, 32)]
    [InlineData("SqueezeNet_fp16", "squeezenet-caffe", "fire9/concat_1", 224, 224, 512, 1)]
    public void Embedding_models_are_added_with_a_preset(
        string file, string preset, string? output, int width, int height, int dimension, int maxBatch)
    {
        var added = ModelAdder.Add(Request(file) with { Preset = preset, Output = output });
        Assert.Equal((width, height, dimension, maxBatch), (added.Manifest.Input.Width, added.Manifest.Input.Height, added.Manifest.Dimension, added.MaxBatch));
    }

    [MaterialTheory]
    [InlineData("face_detection_yunet_2023mar", "--preset yunet")]
    [InlineData("version-RFB-320", "--preset ultralight")]
    [InlineData("mobilenetv2-12-int8", "--output 464_quantized")]
    [InlineData("SqueezeNet_fp16", "--output fire9/concat_1")]
    public void Others_are_refused_with_the_reason(string file, string reason) =>
        Assert.Contains(
            reason, Assert.Throws<ModelException>(() => ModelAdder.Add(Request(file) with { Preset = "imagenet-torchvision" })).Message, StringComparison.Ordinal);

    [MaterialFact]
    public void A_face_model_without_a_preset_is_refused_and_the_presets_are_listed() =>
        Assert.Contains(
            "mobilefacenet-imagenet", Assert.Throws<ModelException>(() => ModelAdder.Add(Request("mobilefacenet128_foamliu_fp32_b1"))).Message, StringComparison.Ordinal);

    private AddRequest Request(string file) =>
        new() { File = Material.Path("models", file + ".onnx"), Directory = _models.Folder };
}
