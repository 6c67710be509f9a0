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
    }

    private static ModelManifest With(Func<InputSpec, InputSpec> change) => Plain with { Input = change(Plain.Input) };
}
