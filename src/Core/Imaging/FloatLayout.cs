using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Embeddings.Core.Imaging;

/// <summary>
/// Writes interleaved floats on the model's scale to a tensor: sorted into planes and otherwise unchanged.
/// </summary>
internal static class FloatLayout
{
    private const uint Exponent = 0x7F80_0000;

    /// <summary>False if a value is NaN or infinite; <paramref name="tensor"/> must not be used then.</summary>
    /// <param name="data">Little-endian floats, three per pixel, at any address.</param>
    /// <param name="tensor">Three planes.</param>
    /// <param name="swap">True to write the first channel to the last plane.</param>
    public static bool TryWrite(ReadOnlySpan<byte> data, Span<float> tensor, bool swap)
    {
        var count = tensor.Length / 3;
        data = data[..(tensor.Length * sizeof(float))];
        var planeA = tensor.Slice(swap ? 2 * count : 0, count);
        var planeB = tensor.Slice(count, count);
        var planeC = tensor.Slice(swap ? 0 : 2 * count, count);
        var i = 0;
        var bad = Vector128<uint>.Zero;
        if (Vector128.IsHardwareAccelerated && BitConverter.IsLittleEndian)
        {
            ref var from = ref MemoryMarshal.GetReference(data);
            for (; i <= count - 4; i += 4)
            {
                var x = Vector128.LoadUnsafe(ref from, (nuint)(i * 12)).AsUInt32();
                var y = Vector128.LoadUnsafe(ref from, (nuint)(i * 12 + 16)).AsUInt32();
                var z = Vector128.LoadUnsafe(ref from, (nuint)(i * 12 + 32)).AsUInt32();
                bad |= NotFinite(x) | NotFinite(y) | NotFinite(z);

                // x = a0 b0 c0 a1, y = b1 c1 a2 b2, z = c2 a3 b3 c3
                Pick(Vector128.Create(~0u, 0, 0, ~0u), x, Vector128.Create(0, 0, ~0u, 0), y, z, Vector128.Create(0u, 3, 2, 1))
                    .CopyTo(planeA[i..]);
                Pick(Vector128.Create(0, ~0u, 0, 0), x, Vector128.Create(~0u, 0, 0, ~0u), y, z, Vector128.Create(1u, 0, 3, 2))
                    .CopyTo(planeB[i..]);
                Pick(Vector128.Create(0, 0, ~0u, 0), x, Vector128.Create(0, ~0u, 0, 0), y, z, Vector128.Create(2u, 1, 0, 3))
                    .CopyTo(planeC[i..]);
            }
        }
        var finite = bad == Vector128<uint>.Zero;
        for (; i < count; i++)
        {
            planeA[i] = BinaryPrimitives.ReadSingleLittleEndian(data[(i * 12)..]);
            planeB[i] = BinaryPrimitives.ReadSingleLittleEndian(data[(i * 12 + 4)..]);
            planeC[i] = BinaryPrimitives.ReadSingleLittleEndian(data[(i * 12 + 8)..]);
            finite &= float.IsFinite(planeA[i]) && float.IsFinite(planeB[i]) && float.IsFinite(planeC[i]);
        }
        return finite;
    }

    // All bits of the exponent set: NaN or an infinity.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> NotFinite(Vector128<uint> bits) =>
        Vector128.Equals(bits & Vector128.Create(Exponent), Vector128.Create(Exponent));

    // A channel's four values are in four different lanes of the three vectors: blend them into one, then put the lanes in
    // order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Pick(
        Vector128<uint> fromX,
        Vector128<uint> x,
        Vector128<uint> fromY,
        Vector128<uint> y,
        Vector128<uint> z,
        Vector128<uint> order) =>
        Vector128.Shuffle(Vector128.ConditionalSelect(fromX, x, Vector128.ConditionalSelect(fromY, y, z)), order).AsSingle();
}
