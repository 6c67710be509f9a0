using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Converts rows of luma and chroma to RGB:
/// <code>
/// R = y + 2 (1 - Kr) v
/// G = y - 2 Kb (1 - Kb) / Kg u - 2 Kr (1 - Kr) / Kg v      with Kg = 1 - Kr - Kb
/// B = y + 2 (1 - Kb) u
/// </code>
/// where y, u, v are luma, Cb and Cr, scaled from their range to 0..255 and -127.5..127.5. Kr and Kb are 0.299 and 0.114 in ITU-R
/// BT.601-7, section 2.5.1, and 0.2126 and 0.0722 in BT.709-6, section 3.2; the ranges 219 and 224 of eight bits are in the
/// sections on quantization of both.
/// </summary>
/// <remarks>
/// <para>
/// The four pixels of a sample of chroma have its value. A smoother interpolation depends on where the samples lie, which
/// decoders seldom know and the formats do not say, and this is what OpenCV and, by default, libyuv do.
/// </para>
/// <para>
/// Sums are in units of 1/64. A factor has a whole part and 256ths, so that all products fit in 16 bits and a value is
/// within 1/16 of the formula before it is rounded.
/// </para>
/// </remarks>
internal readonly struct YuvColors
{
    private const int Bits = 6;
    private const int Step = 16;

    private readonly Factor _luma;
    private readonly Factor _redOfCr;
    private readonly Factor _greenOfCb;
    private readonly Factor _greenOfCr;
    private readonly Factor _blueOfCb;
    private readonly short _black;

    private YuvColors(double kr, double kb, int black, double lumaRange, double chromaRange)
    {
        var kg = 1 - kr - kb;
        var luma = 255 / lumaRange;
        var chroma = 255 / chromaRange;
        _luma = new(luma);
        _redOfCr = new(chroma * 2 * (1 - kr));
        _greenOfCb = new(-chroma * 2 * kb * (1 - kb) / kg);
        _greenOfCr = new(-chroma * 2 * kr * (1 - kr) / kg);
        _blueOfCb = new(chroma * 2 * (1 - kb));
        _black = (short)black;
    }

    public static YuvColors Of(YuvMatrix matrix, YuvRange range)
    {
        var (kr, kb) = matrix switch
        {
            YuvMatrix.Bt601 => (0.299, 0.114),
            YuvMatrix.Bt709 => (0.2126, 0.0722),
            _ => throw new ArgumentOutOfRangeException(nameof(matrix), matrix, null),
        };
        return range switch
        {
            YuvRange.Limited => new(kr, kb, 16, 219, 224),
            YuvRange.Full => new(kr, kb, 0, 255, 255),
            _ => throw new ArgumentOutOfRangeException(nameof(range), range, null),
        };
    }

    /// <summary>Converts a row whose chroma is pairs of Cb and Cr.</summary>
    public void FromPairs(ReadOnlySpan<byte> luma, ReadOnlySpan<byte> chroma, Span<byte> rgb)
    {
        // Bounds are checked here, since the vector loads have no checks.
        chroma = chroma[..((luma.Length + 1) / 2 * 2)];
        rgb = rgb[..(luma.Length * 3)];
        var x = 0;
        if (Vector128.IsHardwareAccelerated && BitConverter.IsLittleEndian)
        {
            ref var lumaStart = ref MemoryMarshal.GetReference(luma);
            ref var chromaStart = ref MemoryMarshal.GetReference(chroma);
            ref var to = ref MemoryMarshal.GetReference(rgb);
            for (; x <= luma.Length - Step; x += Step)
            {
                var pairs = Vector128.LoadUnsafe(ref chromaStart, (nuint)x).AsUInt16();
                var cb = (pairs & Vector128.Create((ushort)0xFF)).AsInt16();
                var cr = (pairs >>> 8).AsInt16();
                Convert(Vector128.LoadUnsafe(ref lumaStart, (nuint)x), cb, cr, ref Unsafe.Add(ref to, x * 3));
            }
        }
        for (; x < luma.Length; x++)
        {
            Convert(luma[x], chroma[x / 2 * 2], chroma[(x / 2 * 2) + 1], rgb.Slice(x * 3, 3));
        }
    }

    /// <summary>Converts a row whose chroma is in two planes.</summary>
    public void FromPlanes(ReadOnlySpan<byte> luma, ReadOnlySpan<byte> cbs, ReadOnlySpan<byte> crs, Span<byte> rgb)
    {
        cbs = cbs[..((luma.Length + 1) / 2)];
        crs = crs[..cbs.Length];
        rgb = rgb[..(luma.Length * 3)];
        var x = 0;
        if (Vector128.IsHardwareAccelerated)
        {
            ref var lumaStart = ref MemoryMarshal.GetReference(luma);
            ref var cbStart = ref MemoryMarshal.GetReference(cbs);
            ref var crStart = ref MemoryMarshal.GetReference(crs);
            ref var to = ref MemoryMarshal.GetReference(rgb);
            for (; x <= luma.Length - Step; x += Step)
            {
                var cb = Eight(ref Unsafe.Add(ref cbStart, x / 2));
                var cr = Eight(ref Unsafe.Add(ref crStart, x / 2));
                Convert(Vector128.LoadUnsafe(ref lumaStart, (nuint)x), cb, cr, ref Unsafe.Add(ref to, x * 3));
            }
        }
        for (; x < luma.Length; x++)
        {
            Convert(luma[x], cbs[x / 2], crs[x / 2], rgb.Slice(x * 3, 3));
        }
    }

    private void Convert(byte luma, byte cb, byte cr, Span<byte> rgb)
    {
        var y = _luma.Times(luma - _black) + (1 << (Bits - 1));
        var (u, v) = (cb - 128, cr - 128);
        rgb[0] = ToByte(y + _redOfCr.Times(v));
        rgb[1] = ToByte(y + _greenOfCb.Times(u) + _greenOfCr.Times(v));
        rgb[2] = ToByte(y + _blueOfCb.Times(u));

        static byte ToByte(int value) => (byte)Math.Clamp(value >> Bits, 0, 255);
    }

    // Sixteen pixels; eight samples of chroma.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Convert(Vector128<byte> luma, Vector128<short> cb, Vector128<short> cr, ref byte to)
    {
        var black = Vector128.Create(_black);
        var half = Vector128.Create((short)(1 << (Bits - 1)));
        var low = _luma.Times(Vector128.WidenLower(luma).AsInt16() - black) + half;
        var high = _luma.Times(Vector128.WidenUpper(luma).AsInt16() - black) + half;
        var u = cb - Vector128.Create((short)128);
        var v = cr - Vector128.Create((short)128);
        var r = Add(low, high, _redOfCr.Times(v));
        var g = Add(low, high, _greenOfCb.Times(u) + _greenOfCr.Times(v));
        var b = Add(low, high, _blueOfCb.Times(u));
        Interleave(r, g, b, ref to);
    }

    // Sums saturate: above the largest is above white as well.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Add(Vector128<short> low, Vector128<short> high, Vector128<short> chroma)
    {
        var left = Vector128.Shuffle(chroma, Vector128.Create((short)0, 0, 1, 1, 2, 2, 3, 3));
        var right = Vector128.Shuffle(chroma, Vector128.Create((short)4, 4, 5, 5, 6, 6, 7, 7));
        var first = Vector128.AddSaturate(low, left) >> Bits;
        var second = Vector128.AddSaturate(high, right) >> Bits;
        return Sse2.IsSupported
            ? Sse2.PackUnsignedSaturate(first, second)
            : Vector128.Narrow(Clamped(first), Clamped(second));
    }

    private static Vector128<ushort> Clamped(Vector128<short> values) =>
        Vector128.Min(Vector128.Max(values, Vector128<short>.Zero), Vector128.Create((short)255)).AsUInt16();

    private static Vector128<short> Eight(ref byte from) =>
        Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref from)).AsByte()).AsInt16();

    // An index past the end of a shuffle gives zero, so that the parts can be or-ed.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Interleave(Vector128<byte> r, Vector128<byte> g, Vector128<byte> b, ref byte to)
    {
        (Vector128.Shuffle(r, Vector128.Create((byte)0, 255, 255, 1, 255, 255, 2, 255, 255, 3, 255, 255, 4, 255, 255, 5))
            | Vector128.Shuffle(g, Vector128.Create((byte)255, 0, 255, 255, 1, 255, 255, 2, 255, 255, 3, 255, 255, 4, 255, 255))
            | Vector128.Shuffle(b, Vector128.Create((byte)255, 255, 0, 255, 255, 1, 255, 255, 2, 255, 255, 3, 255, 255, 4, 255)))
            .StoreUnsafe(ref to);
        (Vector128.Shuffle(r, Vector128.Create((byte)255, 255, 6, 255, 255, 7, 255, 255, 8, 255, 255, 9, 255, 255, 10, 255))
            | Vector128.Shuffle(g, Vector128.Create((byte)5, 255, 255, 6, 255, 255, 7, 255, 255, 8, 255, 255, 9, 255, 255, 10))
            | Vector128.Shuffle(b, Vector128.Create((byte)255, 5, 255, 255, 6, 255, 255, 7, 255, 255, 8, 255, 255, 9, 255, 255)))
            .StoreUnsafe(ref to, 16);
        (Vector128.Shuffle(r, Vector128.Create((byte)255, 11, 255, 255, 12, 255, 255, 13, 255, 255, 14, 255, 255, 15, 255, 255))
            | Vector128.Shuffle(g, Vector128.Create((byte)255, 255, 11, 255, 255, 12, 255, 255, 13, 255, 255, 14, 255, 255, 15, 255))
            | Vector128.Shuffle(b, Vector128.Create((byte)10, 255, 255, 11, 255, 255, 12, 255, 255, 13, 255, 255, 14, 255, 255, 15)))
            .StoreUnsafe(ref to, 32);
    }

    // A factor in units of 1/64 as whole + part / 256. Values are -128 to 255 and factors below 2.2, so that neither product
    // leaves 16 bits.
    private readonly struct Factor
    {
        private readonly short _whole;
        private readonly short _part;

        public Factor(double factor)
        {
            var units = (int)Math.Round(factor * (1 << Bits) * 256);
            _whole = (short)(units >> 8);
            _part = (short)(units & 0xFF);
        }

        public int Times(int value) => (value * _whole) + ((value * _part) >> 8);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector128<short> Times(Vector128<short> values) =>
            (values * Vector128.Create(_whole)) + ((values * Vector128.Create(_part)) >> 8);
    }
}
