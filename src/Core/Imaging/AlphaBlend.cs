using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Core.Imaging;

/// <summary>Blends pixels with black as libvips does for encoded images: value x alpha / 255, rounded down.</summary>
internal static class AlphaBlend
{
    /// <summary>Turns pixels of four bytes, the last of which is alpha, into pixels of three.</summary>
    public static void OntoBlack(ReadOnlySpan<byte> pixels, Span<byte> colors)
    {
        var count = colors.Length / 3;
        pixels = pixels[..(count * 4)];
        var i = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref var from = ref MemoryMarshal.GetReference(pixels);
            ref var to = ref MemoryMarshal.GetReference(colors);

            // Four pixels at a time; sixteen bytes are written, of which the last four are written again.
            for (; i <= count - 6; i += 4)
            {
                var values = Vector128.LoadUnsafe(ref from, (nuint)(i * 4));
                var alpha = Vector128.Shuffle(
                    values, Vector128.Create((byte)3, 3, 3, 3, 7, 7, 7, 7, 11, 11, 11, 11, 15, 15, 15, 15));
                var low = Divided(Vector128.WidenLower(values) * Vector128.WidenLower(alpha));
                var high = Divided(Vector128.WidenUpper(values) * Vector128.WidenUpper(alpha));
                var blended = Vector128.Shuffle(
                    Vector128.Narrow(low, high),
                    Vector128.Create((byte)0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 255, 255, 255, 255));
                blended.StoreUnsafe(ref to, (nuint)(i * 3));
            }
        }
        for (; i < count; i++)
        {
            var alpha = pixels[(i * 4) + 3];
            for (var c = 0; c < 3; c++)
            {
                colors[(i * 3) + c] = (byte)(pixels[(i * 4) + c] * alpha / 255);
            }
        }
    }

    // Division by 255, exact up to 65,534.
    private static Vector128<ushort> Divided(Vector128<ushort> x) => (x + Vector128<ushort>.One + (x >>> 8)) >>> 8;
}
