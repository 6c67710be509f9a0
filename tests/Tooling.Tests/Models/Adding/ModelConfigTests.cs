using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Models.Adding;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Tests.Models.Adding;

/// <summary>Configuration files next to a model, in the form in which the libraries write them.</summary>
public sealed class ModelConfigTests : IDisposable
{
    private const string DinoV2 = """
        {"crop_size": {"height": 224, "width": 224}, "do_center_crop": true, "do_convert_rgb": true, "do_normalize": true,
         "do_rescale": true, "do_resize": true, "image_mean": [0.485, 0.456, 0.406], "image_processor_type": "BitImageProcessor",
         "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 256}}
        """;

    private const string ViT = """
        {"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224}
        """;

    private const string OpenClip = """
        {"size": [224, 224], "mode": "RGB", "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711],
         "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0}
        """;

    private const string MobileClip = """
        {"model_cfg": {"embed_dim": 512, "vision_cfg": {"timm_model_name": "fastvit_mci0", "image_size": 256}},
         "preprocess_cfg": {"mean": [0, 0, 0], "std": [1, 1, 1], "interpolation": "bilinear"}}
        """;

    private const string Timm = """
        {"architecture": "resnet18", "num_classes": 1000, "pretrained_cfg": {"input_size": [3, 224, 224], "interpolation": "bilinear",
         "crop_pct": 0.95, "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}
        """;

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Theory]
    [InlineData("preprocessor_config.json", DinoV2, 224, ResizeMode.CenterCrop, 256, Interpolation.Bicubic, 123.675f, 58.395f)]
    [InlineData("preprocessor_config.json", ViT, 224, ResizeMode.Stretch, 0, Interpolation.Bilinear, 127.5f, 127.5f)]
    [InlineData("preprocess_cfg.json", OpenClip, 224, ResizeMode.CenterCrop, 224, Interpolation.Bicubic, 122.7709f, 68.5005f)]
    [InlineData("open_clip_config.json", MobileClip, 256, ResizeMode.CenterCrop, 256, Interpolation.Bilinear, 0, 255)]
    [InlineData("config.json", Timm, 224, ResizeMode.CenterCrop, 235, Interpolation.Bilinear, 123.675f, 58.395f)]
    public void A_configuration_file_replaces_the_preset(
        string name, string json, int size, object resize, int resizeTo, object interpolation, float mean, float std)
    {
        var added = ModelAdder.Add(Request(TemporaryModels.ChannelMeans(size, size), (name, json)));
        var input = added.Manifest.Input;
        Assert.Equal(
            (ModelKind.Image, ColorOrder.Rgb, size, size), (added.Manifest.Kind, input.ColorOrder, input.Width, input.Height));
        Assert.Equal(((ResizeMode)resize, resizeTo, (Interpolation)interpolation), (input.Resize, input.ResizeTo, input.Interpolation));
        Assert.Equal(mean, input.Mean[0], 1e-3f);
        Assert.Equal(std, input.Std[0], 1e-3f);
        Assert.Contains(added.Facts, fact => fact.StartsWith(name, StringComparison.Ordinal));
    }

    [Fact]
    public void The_size_of_the_file_serves_a_graph_of_any_size()
    {
        var input = ModelAdder.Add(Request(TemporaryModels.ChannelMeans(0, 0), ("open_clip_config.json", MobileClip))).Manifest.Input;
        Assert.Equal((256, 256), (input.Width, input.Height));
    }

    [Fact]
    public void A_file_in_the_parent_of_a_folder_called_onnx_is_read()
    {
        var request = Request(TemporaryModels.ChannelMeans(224, 224), ("preprocessor_config.json", DinoV2));
        var folder = Directory.CreateDirectory(Path.Combine(Path.GetDirectoryName(request.File)!, "onnx")).FullName;
        File.Move(request.File, Path.Combine(folder, "model.onnx"));
        Assert.Equal(256, ModelAdder.Add(request with { File = Path.Combine(folder, "model.onnx") }).Manifest.Input.ResizeTo);
    }

    [Fact]
    public void A_contradiction_is_an_error_unless_the_file_is_ignored()
    {
        var request = Request(TemporaryModels.ChannelMeans(224, 224), ("preprocessor_config.json", DinoV2)) with { Preset = "siglip" };
        Assert.Contains(
            "preset 'siglip': mean is 127.5,127.5,127.5, but preprocessor_config.json states 123.675,116.28,103.53", Refused(request),
            StringComparison.Ordinal);
        Assert.Contains("--color-order is bgr", Refused(request with { Preset = null, ColorOrder = ColorOrder.Bgr }), StringComparison.Ordinal);
        Assert.Contains("--size is 192x192", Refused(request with { Preset = null, Size = (192, 192) }), StringComparison.Ordinal);
        Assert.Equal(127.5f, ModelAdder.Add(request with { IgnoreConfig = true }).Manifest.Input.Mean[0]);
        Assert.Equal(256, ModelAdder.Add(request with { Preset = "dinov2", Name = "agrees" }).Manifest.Input.ResizeTo);
    }

    [Fact]
    public void Two_files_that_differ_and_a_size_that_the_graph_does_not_have_are_errors()
    {
        var both = Request(
            TemporaryModels.ChannelMeans(224, 224), ("preprocessor_config.json", DinoV2), ("preprocess_cfg.json", OpenClip));
        Assert.Contains("preprocessor_config.json and preprocess_cfg.json must agree: mean is", Refused(both), StringComparison.Ordinal);
        var wrong = Request(TemporaryModels.ChannelMeans(112, 112), ("open_clip_config.json", MobileClip));
        Assert.Contains("open_clip_config.json must match the input", Refused(wrong), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("preprocessor_config.json", """{"image_mean": [0.5, 0.5], "image_std": [1, 1, 1]}""", "image_mean must have three numbers")]
    [InlineData("preprocessor_config.json", """{"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "resample": 0}""", "resample must be 2 (bilinear) or 3 (bicubic); got 0")]
    [InlineData("preprocessor_config.json", """{"do_pad": true}""", "do_pad is not supported")]
    [InlineData("preprocessor_config.json", """{"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "size": {"height": -1, "width": 2}}""", "size.height must be a whole number of pixels between 1 and 8192; got -1")]
    [InlineData("preprocessor_config.json", "{\n  \"size\": ,\n}", "is not valid JSON: line 2")]
    [InlineData("preprocess_cfg.json", """{"size": 224, "mode": "L"}""", "mode must be RGB; got 'L'")]
    [InlineData("preprocess_cfg.json", """{"size": 224, "interpolation": "random"}""", "interpolation must be bilinear or bicubic; got 'random'")]
    [InlineData("open_clip_config.json", """{"preprocess_cfg": 5}""", "preprocess_cfg must be an object")]
    [InlineData("config.json", """{"pretrained_cfg": {"crop_pct": 7}}""", "pretrained_cfg.crop_pct must be greater than 0 and at most 1; got 7")]
    [InlineData("config.json", "[]", "must be a JSON object")]
    public void What_cannot_be_honored_is_an_error_that_names_file_and_key(string name, string json, string expected)
    {
        var refused = Refused(Request(TemporaryModels.ChannelMeans(224, 224), (name, json)));
        Assert.Contains(name, refused, StringComparison.Ordinal);
        Assert.Contains(expected, refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_configuration_files_state_no_preprocessing()
    {
        var request = Request(TemporaryModels.ChannelMeans(224, 224), ("config.json", """{"model_type": "vit", "hidden_size": 768}"""));
        Assert.Contains("set --preset or --kind, --color-order, --mean, --std", Refused(request), StringComparison.Ordinal);
    }

    private static string Refused(AddRequest request) => Assert.Throws<ModelException>(() => ModelAdder.Add(request)).Message;

    private AddRequest Request(ModelProto model, params (string Name, string Json)[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_models.Folder, Guid.NewGuid().ToString("N"))).FullName;
        OnnxFile.Save(model, Path.Combine(folder, "model.onnx"));
        foreach (var (name, json) in files)
        {
            File.WriteAllText(Path.Combine(folder, name), json);
        }
        return new() { File = Path.Combine(folder, "model.onnx"), Directory = Path.Combine(folder, "to") };
    }
}
