using System.Buffers.Binary;
using Embeddings.Core.Imaging;
using Embeddings.Primitives;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Imaging;

/// <summary>JPEG files that lack data are refused, however they end; what decoders rightly forgive is not.</summary>
public sealed class JpegDataTests
{
    public static TheoryData<int, int, int, string> Kinds() => new()
    {
        { 61, 43, 3, ".jpg[Q=75]" },
        { 61, 43, 3, ".jpg[Q=95,subsample_mode=off]" },
        { 61, 43, 1, ".jpg[Q=75]" },
        { 61, 43, 3, ".jpg[Q=75,optimize_coding]" },
        { 61, 43, 3, ".jpg[Q=75,restart_interval=3]" },
        { 61, 43, 3, ".jpg[Q=75,interlace]" },
        { 61, 43, 1, ".jpg[Q=75,interlace]" },
        { 61, 43, 3, ".jpg[Q=90,interlace,subsample_mode=off,restart_interval=5]" },
        { 8, 8, 3, ".jpg[Q=75,subsample_mode=off]" },
        { 16, 16, 3, ".jpg[Q=75]" },
        { 300, 8, 1, ".jpg[Q=75]" },
        { 330, 250, 3, ".jpg[Q=75]" },
        { 330, 250, 3, ".jpg[Q=75,interlace]" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_file_cut_anywhere_and_closed_is_refused_or_whole(int width, int height, int channels, string suffix)
    {
        var file = TestImages.Encode(TestImages.Smooth(width, height, channels), width, height, channels, suffix);
        var whole = TestImages.Decode(file, width, height);
        var first = ScanData(file);
        var step = Math.Max(1, (file.Length - first) / 300);
        var refused = 0;
        for (var cut = first; cut < file.Length - 2; cut += step)
        {
            byte[] closed = [.. file[..cut], 0xFF, 0xD9];
            if (Refusal(closed, width, height) is { } fault)
            {
                Assert.Equal((Reasons.ImageMalformed, "image.encoded"), (fault.Reason, fault.Field));
                refused++;
            }
            else
            {
                Assert.Equal(whole, TestImages.Decode(closed, width, height));
                Assert.InRange(file.Length - 2 - cut, 0, 2);
            }
        }
        Assert.True(refused > 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_header_taller_than_the_data_is_refused(int width, int height, int channels, string suffix)
    {
        var file = TestImages.Encode(TestImages.Smooth(width, height, channels), width, height, channels, suffix);
        foreach (var more in new[] { 16, 400 })
        {
            var tall = (byte[])file.Clone();
            var frame = Find(tall, marker => marker is 0xC0 or 0xC2);
            BinaryPrimitives.WriteUInt16BigEndian(tall.AsSpan(frame + 5), (ushort)(height + more));
            var fault = Refusal(tall, width, height + more);
            Assert.Equal(Reasons.ImageMalformed, fault?.Reason);
            Assert.Contains(suffix.Contains("restart") ? "JPEG" : $"{width} x {height + more}", fault!.Message);

            // Shrunk while it is decoded.
            Assert.Equal(Reasons.ImageMalformed, Refusal(tall, Math.Max(1, width / 16), Math.Max(1, height / 16))?.Reason);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Stray_bytes_before_markers_are_forgiven(int width, int height, int channels, string suffix)
    {
        var file = TestImages.Encode(TestImages.Smooth(width, height, channels), width, height, channels, suffix);
        byte[] strayed = [.. file[..2]];
        for (var at = 2; at < file.Length - 1; at++)
        {
            // No more than decoders read on for: each run of stray bytes is a warning, and 100 warnings are an error.
            if (file[at] == 0xFF && file[at + 1] is 0xC0 or 0xC2 or 0xC4 or 0xDA or 0xD9)
            {
                strayed = [.. strayed, 0x12, 0, 0x7E];
            }
            strayed = [.. strayed, file[at]];
        }
        strayed = [.. strayed, file[^1]];
        Assert.Equal(TestImages.Decode(file, width, height), TestImages.Decode(strayed, width, height));
        var end = strayed.Length - 40;
        Assert.Equal(Reasons.ImageMalformed, Refusal([.. strayed[..end], 0xFF, 0xD9], width, height)?.Reason);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 1, 0)]
    [InlineData(0, 63, 0x11)]
    public void Wrong_parameters_in_a_scan_header_are_forgiven(byte start, byte end, byte approximation)
    {
        var file = TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, ".jpg[Q=75]");
        var data = ScanData(file);
        var wrong = (byte[])file.Clone();
        (wrong[data - 3], wrong[data - 2], wrong[data - 1]) = (start, end, approximation);
        Assert.Equal(TestImages.Decode(file, 61, 43), TestImages.Decode(wrong, 61, 43));
        Assert.Equal(Reasons.ImageMalformed, Refusal([.. wrong[..(data + 200)], 0xFF, 0xD9], 61, 43)?.Reason);
    }

    [Fact]
    public void Frames_of_Motion_JPEG_need_no_Huffman_tables()
    {
        var file = TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, ".jpg[Q=75]");
        var bare = file;
        for (int at; (at = Find(bare, marker => marker == 0xC4)) > 0;)
        {
            bare = [.. bare[..at], .. bare[(at + 2 + BinaryPrimitives.ReadUInt16BigEndian(bare.AsSpan(at + 2)))..]];
        }
        var whole = TestImages.Decode(file, 61, 43);
        Assert.Equal(whole, TestImages.Decode(bare, 61, 43));
        Assert.Equal(whole, TestImages.Decode([.. bare[..^2], 0, 0, 0, 0xFF, 0xD9], 61, 43));
        Assert.Equal(Reasons.ImageMalformed, Refusal([.. bare[..^40], 0xFF, 0xD9], 61, 43)?.Reason);
    }

    [Fact]
    public void Bytes_after_the_end_are_forgiven()
    {
        var file = TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, ".jpg[Q=75]");
        Assert.Equal(TestImages.Decode(file, 61, 43), TestImages.Decode([.. file, .. file[..300], 0, 0xFF, 0xFF], 61, 43));
    }

    [Fact]
    public void A_progressive_file_without_its_last_scans_is_refused()
    {
        var file = TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, ".jpg[interlace]");
        var scans = 0;
        for (var at = 2; at < file.Length - 1; at++)
        {
            if (file[at] == 0xFF && file[at + 1] == 0xDA && scans++ > 0)
            {
                Assert.Equal(Reasons.ImageMalformed, Refusal([.. file[..at], 0xFF, 0xD9], 61, 43)?.Reason);
            }
        }
        Assert.InRange(scans, 3, 20);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void A_turned_image_that_lacks_data_is_refused(int orientation)
    {
        Vips.EnsureStarted();
        using var image = NetVips.Image.NewFromBuffer(TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, ".jpg"));
        using var turned = image.Mutate(header => header.Set(NetVips.GValue.GIntType, "orientation", orientation));
        var file = turned.WriteToBuffer(".jpg");
        Assert.Null(Refusal(file, 43, 61));
        Assert.Equal(Reasons.ImageMalformed, Refusal([.. file[..^100], 0xFF, 0xD9], 43, 61)?.Reason);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_whole_file_is_complete(int width, int height, int channels, string suffix)
    {
        var file = TestImages.Encode(TestImages.Busy(width, height, channels), width, height, channels, suffix);
        Assert.True(JpegData.IsComplete(file, CancellationToken.None));
        Assert.True(JpegData.HasAllScans(file));
    }

    [MaterialFact]
    public void Every_photograph_is_complete()
    {
        var photographs = Directory.GetFiles(Material.Path("faces"), "*.jpg");
        Assert.NotEmpty(photographs);
        Assert.All(photographs, path => Assert.True(JpegData.IsComplete(File.ReadAllBytes(path), CancellationToken.None), path));
    }

    [Fact]
    public void Any_bytes_have_an_answer()
    {
        var random = new Random(5);
        foreach (var suffix in new[] { ".jpg", ".jpg[interlace]", ".jpg[restart_interval=2]" })
        {
            var file = TestImages.Encode(TestImages.Smooth(61, 43), 61, 43, 3, suffix);
            for (var i = 0; i < 2000; i++)
            {
                var changed = (byte[])file.Clone();
                for (var n = random.Next(1, 8); n > 0; n--)
                {
                    changed[random.Next(2, changed.Length)] = (byte)random.Next(256);
                }
                JpegData.IsComplete(changed.AsSpan(0, random.Next(2, changed.Length)), CancellationToken.None);
            }
        }
    }

    private static Fault? Refusal(byte[] file, int width, int height)
    {
        try
        {
            TestImages.Decode(file, width, height);
            return null;
        }
        catch (Fault fault)
        {
            return fault;
        }
    }

    // Position of the first byte after the header of the first scan.
    private static int ScanData(byte[] file)
    {
        var scan = Find(file, marker => marker == 0xDA);
        return scan + 2 + BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(scan + 2));
    }

    // Position of a segment before the first scan's data, or -1.
    private static int Find(byte[] file, Func<byte, bool> wanted)
    {
        for (var at = 2; at < file.Length - 4; at += 2 + BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(at + 2)))
        {
            if (wanted(file[at + 1]))
            {
                return at;
            }
            if (file[at + 1] == 0xDA)
            {
                break;
            }
        }
        return -1;
    }
}
