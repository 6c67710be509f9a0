using System.Text;
using Embeddings.Core.Imaging;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

public sealed class ImageSnifferTests
{
    [Theory]
    [InlineData(".jpg", nameof(FileFormat.Jpeg))]
    [InlineData(".png", nameof(FileFormat.Png))]
    [InlineData(".webp", nameof(FileFormat.WebP))]
    [InlineData(".gif", nameof(FileFormat.Gif))]
    [InlineData(".tif", nameof(FileFormat.Tiff))]
    [InlineData(".tif[bigtiff]", nameof(FileFormat.Tiff))]
    [InlineData(".avif", nameof(FileFormat.Avif))]
    public void Recognizes_the_files_of_libvips(string suffix, string format) =>
        Assert.Equal(format, ImageSniffer.Sniff(TestImages.Encode(TestImages.Smooth(32, 32), 32, 32, 3, suffix)).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("GIF88a")]
    [InlineData("BM          ")]
    [InlineData("<svg xmlns='http://www.w3.org/2000/svg'/>")]
    [InlineData("%PDF-1.7")]
    [InlineData("P6 1 1 255 abc")]
    [InlineData("RIFF\0\0\0\0WAVE")]
    [InlineData("\0\0\0\u0018ftypheic\0\0\0\0mif1heic")]
    [InlineData("\0\0\0\u0010ftypheicavif")] // the version, not a brand
    [InlineData("\0\0\0\u0008ftypavif\0\0\0\0")]
    public void Does_not_recognize_other_bytes(string text) => Assert.Equal(FileFormat.Unknown, ImageSniffer.Sniff(Encoding.Latin1.GetBytes(text)));

    [Theory]
    [InlineData("\0\0\0\u0018ftypavif\0\0\0\0mif1miaf")]
    [InlineData("\0\0\0\u0018ftypmif1\0\0\0\0mif1avif")]
    [InlineData("\0\0\0\u0018ftypavis\0\0\0\0mif1miaf")]
    public void Recognizes_AVIF_by_any_brand(string text) => Assert.Equal(FileFormat.Avif, ImageSniffer.Sniff(Encoding.Latin1.GetBytes(text)));
}
