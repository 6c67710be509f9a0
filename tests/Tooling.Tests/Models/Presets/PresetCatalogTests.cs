using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Tooling.Tests.Models.Presets;

public sealed class PresetCatalogTests
{
    [Fact]
    public void All_presets_are_listed_by_name()
    {
        Assert.Equal(
            ["adaface", "clip-openai", "imagenet-torchvision", "insightface-arcface", "insightface-mxnet", "mobilefacenet-imagenet", "sface", "squeezenet-caffe"],
            PresetCatalog.All.Select(preset => preset.Name));
        Assert.All(PresetCatalog.All, preset => Assert.True(preset.Source.Length > 10 && preset.Description.Length > 10));
        Assert.All(PresetCatalog.All, preset => Assert.Equal(preset.Kind == ModelKind.Face, preset.UnitLength));
        Assert.Null(PresetCatalog.Find("nonsense"));
    }

    [Theory]
    [InlineData("insightface-arcface", "rgb", 0, -1)]
    [InlineData("insightface-arcface", "rgb", 255, 1)]
    [InlineData("adaface", "bgr", 255, 1)]
    [InlineData("insightface-mxnet", "rgb", 200, 200)]
    [InlineData("mobilefacenet-imagenet", "rgb", 255, 2.2489)]
    [InlineData("clip-openai", "rgb", 0, -1.7923)]
    [InlineData("imagenet-torchvision", "rgb", 0, -2.1179)]
    [InlineData("squeezenet-caffe", "bgr", 104, 0)]
    public void The_first_channel_is_scaled_as_by_the_authors(string name, string order, float pixel, float expected)
    {
        var input = PresetCatalog.Find(name)!.Input;
        Assert.Equal(order, ManifestFile.Word(input.ColorOrder));
        Assert.Equal(expected, (pixel - input.Mean[0]) / input.Std[0], 1e-3f);
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
