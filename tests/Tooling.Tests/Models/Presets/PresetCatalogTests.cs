using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Tooling.Tests.Models.Presets;

public sealed class PresetCatalogTests
{
    // What each of the two sources of a preset feeds for a pixel, written as it is written there: the order of the channels,
    // and the first channel's value of a pixel value x between 0 and 255.
    private static readonly Dictionary<string, (string Order, Func<double, double> First, Func<double, double> Second)> References = new()
    {
        ["adaface"] = ("bgr", x => ((x / 255) - 0.5) / 0.5, x => ((x / 255) - 0.5) / 0.5),
        ["blazeface"] = ("rgb", x => (x / 127.5) - 1, x => (x / 127.5) - 1.0),
        ["clip-openai"] = ("rgb", x => ((x / 255) - 0.48145466) / 0.26862954, x => ((x / 255) - 0.48145466) / 0.26862954),
        ["dinov2"] = ("rgb", x => ((x / 255) - 0.485) / 0.229, x => ((x * 0.00392156862745098) - 0.485) / 0.229),
        ["edgeface"] = ("rgb", x => ((x / 255) - 0.5) / 0.5, x => ((x / 255) - 0.5) / 0.5),
        ["facenet-pytorch"] = ("rgb", x => (x - 127.5) / 128.0, x => (x - 127.5) / 128.0),
        ["ghostfacenet"] = ("rgb", x => (x - 127.5) * 0.0078125, x => (x - 127.5) * 0.0078125),
        ["imagenet-torchvision"] = ("rgb", x => ((x / 255) - 0.485) / 0.229, x => ((x / 255) - 0.485) / 0.229),
        ["insightface-arcface"] = ("rgb", x => (x - 127.5) / 127.5, x => ((x / 255) - 0.5) / 0.5),
        ["insightface-mxnet"] = ("rgb", x => x, x => x),
        ["magface"] = ("bgr", x => ((x / 255) - 0.0) / 1.0, x => x / 255),
        ["mobileclip"] = ("rgb", x => x / 255, x => ((x / 255) - 0) / 1),
        ["mobilefacenet-imagenet"] = ("rgb", x => ((x / 255) - 0.485) / 0.229, x => ((x / 255) - 0.485) / 0.229),
        ["scrfd"] = ("rgb", x => (x - 127.5) * (1.0 / 128), x => (x - 127.5) / 128.0),
        ["sface"] = ("rgb", x => x, x => x),
        ["siglip"] = ("rgb", x => ((x * 0.00392156862745098) - 0.5) / 0.5, x => ((x / 255) - 0.5) / 0.5),
        ["squeezenet-caffe"] = ("bgr", x => x - 104, x => x - 104),
        ["ultralight"] = ("rgb", x => (x - 127) / 128, x => (x - 127) / 128),
        ["yunet"] = ("bgr", x => x, x => x),
    };

    public static TheoryData<string> Names => [.. References.Keys];

    [Fact]
    public void All_presets_are_listed_by_name_with_two_sources()
    {
        Assert.Equal(References.Keys.Order(StringComparer.Ordinal), PresetCatalog.All.Select(preset => preset.Name));
        Assert.All(PresetCatalog.All, preset =>
        {
            Assert.True(preset.Sources.Distinct().Count() >= 2 && preset.Sources.All(source => source.Length > 10));
            Assert.True(preset.Description.Length > 10);
            Assert.Equal(preset.Kind == ModelKind.Face, preset.UnitLength);
            Assert.Equal(preset.Kind == ModelKind.Detector, preset.Detector is not null);
        });
        Assert.Null(PresetCatalog.Find("nonsense"));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_preset_feeds_what_both_of_its_sources_feed(string name)
    {
        var input = PresetCatalog.Find(name)!.Input;
        var (order, first, second) = References[name];
        Assert.Equal(order, ManifestFile.Word(input.ColorOrder));
        for (var pixel = 0; pixel <= 255; pixel += 5)
        {
            var fed = (pixel - input.Mean[0]) / input.Std[0];
            Assert.Equal(first(pixel), fed, 2e-5 * Math.Max(1, Math.Abs(fed)));
            Assert.Equal(second(pixel), fed, 2e-5 * Math.Max(1, Math.Abs(fed)));
        }
    }

    [Theory]
    [InlineData("clip-openai", 224, ResizeMode.CenterCrop, 224, Interpolation.Bicubic)]
    [InlineData("siglip", 224, ResizeMode.Stretch, 0, Interpolation.Bicubic)]
    [InlineData("dinov2", 224, ResizeMode.CenterCrop, 256, Interpolation.Bicubic)]
    [InlineData("mobileclip", 256, ResizeMode.CenterCrop, 256, Interpolation.Bilinear)]
    [InlineData("imagenet-torchvision", 224, ResizeMode.CenterCrop, 256, Interpolation.Bilinear)]
    [InlineData("facenet-pytorch", 160, ResizeMode.Stretch, 0, Interpolation.Bilinear)]
    public void A_preset_resizes_as_its_sources_do(
        string name, int size, object resize, int resizeTo, object interpolation)
    {
        var input = PresetCatalog.Find(name)!.Input;
        Assert.Equal((size, size), (input.Width, input.Height));
        Assert.Equal(((ResizeMode)resize, resizeTo, (Interpolation)interpolation), (input.Resize, input.ResizeTo, input.Interpolation));
    }

    // Strides, anchors per cell, threshold and NMS as the sources of the preset state them.
    [Theory]
    [InlineData("blazeface", new[] { 8, 16 }, new[] { 2, 6 }, 0.5f, 0.3f, (int)BoxCoding.CenterSize)]
    [InlineData("scrfd", new[] { 8, 16, 32 }, new[] { 2, 2, 2 }, 0.5f, 0.4f, (int)BoxCoding.Distances)]
    [InlineData("ultralight", new int[0], new int[0], 0.7f, 0.5f, (int)BoxCoding.Corners)]
    [InlineData("yunet", new[] { 8, 16, 32 }, new[] { 1, 1, 1 }, 0.6f, 0.3f, (int)BoxCoding.CenterLogSize)]
    public void A_preset_decodes_as_its_sources_do(string name, int[] strides, int[] anchors, float confidence, float nms, int boxes)
    {
        var detector = PresetCatalog.Find(name)!.Detector!;
        Assert.Equal(strides, detector.Strides);
        Assert.Equal(anchors, detector.Anchors);
        Assert.Equal((confidence, nms, boxes), (detector.MinConfidence, detector.Nms, (int)detector.Boxes));
    }

    [Fact]
    public void A_download_has_a_checksum() =>
        Assert.All(PresetCatalog.All.Where(preset => preset.Download is not null), preset =>
        {
            Assert.Equal(64, preset.Download!.Sha256.Length);
            Assert.Equal("https", preset.Download.Url.Scheme);
            Assert.NotEmpty(preset.Download.Licence);
        });
}
