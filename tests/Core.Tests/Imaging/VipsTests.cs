using Embeddings.Core.Imaging;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class VipsTests
{
    [Fact]
    public void Warnings_belong_to_the_image_of_their_thread()
    {
        // Whole files, files that lack data, and files with a warning that is forgiven, on all threads at once.
        var whole = TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, ".jpg[Q=90,subsample_mode=off]");
        byte[] stray = [.. whole[..^2], 0, 0, 0xFF, 0xD9];
        byte[] cut = [.. whole[..^30], 0xFF, 0xD9];
        var pixels = TestImages.Decode(whole, 61, 43);
        Parallel.For(0, 3000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            if (i % 3 == 0)
            {
                Assert.Equal(Reasons.ImageMalformed, Assert.Throws<Fault>(() => TestImages.Decode(cut, 61, 43)).Reason);
            }
            else
            {
                Assert.Equal(pixels, TestImages.Decode(i % 3 == 1 ? whole : stray, 61, 43));
            }
        });
    }

    [Fact]
    public void An_action_without_images_gives_no_warning()
    {
        Vips.EnsureStarted();
        Assert.False(Vips.Warns(() => { }));
    }
}
