using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.Testing.Models;

namespace Embeddings.Core.Tests.Inference;

public sealed class FingerprintTests
{
    private static readonly ModelManifest Plain = TemporaryModels.Manifest(112, 112, 512);

    [Fact]
    public void Everything_that_changes_vectors_changes_it()
    {
        ModelManifest[] others =
        [
            Plain with { Sha256 = new string('1', 64) },
            Plain with { Output = "inner" },
            Plain with { UnitLength = true },
            With(i => i with { Width = 113 }),
            With(i => i with { Height = 111 }),
            With(i => i with { ColorOrder = ColorOrder.Bgr }),
            With(i => i with { ColorOrder = ColorOrder.Gray }),
            With(i => i with { Mean = [0, 0, 1] }),
            With(i => i with { Std = [1, 1, 1.0000001f] }),
            With(i => i with { Resize = ResizeMode.Letterbox }),
            With(i => i with { Resize = ResizeMode.CenterCrop }),
            With(i => i with { Resize = ResizeMode.CenterCrop, ResizeTo = 128 }),
            With(i => i with { Interpolation = Interpolation.Bicubic }),
            With(i => i with { Decode = DecodeMode.Full }),
        ];
        Assert.Equal(others.Length + 1, others.Append(Plain).Select(Fingerprint.Of).Distinct().Count());
    }

    [Fact]
    public void Words_and_spellings_do_not_change_it()
    {
        ModelManifest[] same =
        [
            Plain with { Name = "other", Licence = "MIT", Origin = "x", Description = "x", MaxBatch = 1, SuggestedThreshold = 0.5f, FalseMatchRate = 0.1f },
            With(i => i with { Mean = [-0f, 0, 0] }),
            With(i => i with { Decode = DecodeMode.Scaled }),
        ];
        Assert.All(same, m => Assert.Equal(Fingerprint.Of(Plain), Fingerprint.Of(m)));
        var gray = With(i => i with { ColorOrder = ColorOrder.Gray, Mean = [5], Std = [2] });
        Assert.Equal(Fingerprint.Of(gray), Fingerprint.Of(gray with { Input = gray.Input with { Mean = [5, 5, 5], Std = [2, 2, 2] } }));
        var crop = With(i => i with { Resize = ResizeMode.CenterCrop });
        Assert.Equal(Fingerprint.Of(crop), Fingerprint.Of(crop with { Input = crop.Input with { ResizeTo = 112 } }));
    }

    [Fact]
    public void The_canonical_text_never_changes()
    {
        // Stored collections hold it. If this fails, they would all be refused.
        Assert.Equal(
            "embeddings-fingerprint 1\nsha256 " + new string('0', 64)
            + "\ninput 112x112 rgb\nmean 0 0 0\nstd 1 1 1\nresize stretch 0 bilinear\noutput \nunit_length false",
            Fingerprint.Canonical(Plain));
        Assert.Equal("0efedf36fb4dd6c68d84a159798e0b63a3f7638f9ad5257dfb16df4f4dfbd289", Fingerprint.Of(Plain));
    }

    [Fact]
    public void The_default_models_keep_the_fingerprints_of_before_the_setting()
    {
        // Of the time when manifests did not state how JPEG files are decoded; collections hold them.
        Assert.Equal(
            "b96f98bcd23d28d53c1b93ab42431e847c9662b44d39543973b9bece801e6ccf",
            Fingerprint.Of(new()
            {
                Name = "resnet18",
                Kind = ModelKind.Image,
                Input = new() { Width = 224, Height = 224, ColorOrder = ColorOrder.Bgr, Decode = DecodeMode.Scaled },
                Dimension = 512,
                Output = "embedding",
                Sha256 = "9d881dac5381535067f16d28f1ffd9f5011bcac72cf88b38704bce3a0b72e0c6",
                DataSha256 = "e581e0f9d10246e46794606bfbaabfb3cd38af92e29bb7e282d113bb647939e4",
            }));
        Assert.Equal(
            "30390a74c433d20635e00ac8e52f281cae917c4b6be9c5909fa8a9847727cdd0",
            Fingerprint.Of(new()
            {
                Name = "mobilefacenet",
                Kind = ModelKind.Face,
                Input = new()
                {
                    Width = 112,
                    Height = 112,
                    ColorOrder = ColorOrder.Bgr,
                    Mean = [127.5f, 127.5f, 127.5f],
                    Std = [127.5f, 127.5f, 127.5f],
                    Decode = DecodeMode.Scaled,
                },
                Dimension = 512,
                Output = "embedding",
                Sha256 = "d296808c0d49a88a543f20c9f1434b38b433fb34bb2a8efce565b83a54e95ff6",
            }));
    }

    private static ModelManifest With(Func<InputSpec, InputSpec> change) => Plain with { Input = change(Plain.Input) };
}
