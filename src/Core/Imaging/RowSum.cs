using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Embeddings.Core.Imaging;

/// <summary>The weighted sum of rows of bytes: the half of a resize that reads every pixel.</summary>
internal static class RowSum
{
    /// <summary>
    /// Sets <paramref name="sums"/>[j] to the sum over k of <paramref name="weights"/>[k] times
    /// <paramref name="rows"/>[k x <paramref name="stride"/> + j].
    /// </summary>
    public static void Add(ReadOnlySpan<byte> rows, int stride, ReadOnlySpan<float> weights, Span<float> sums)
    {
        // Bounds are checked here, since the vector loads have no checks.
        _ = rows.Slice((weights.Length - 1) * stride, sums.Length);
        ref var from = ref MemoryMarshal.GetReference(rows);
        ref var to = ref MemoryMarshal.GetReference(sums);
        var j = 0;
        if (Avx512F.IsSupported)
        {
            for (; j <= sums.Length - 32; j += 32)
            {
                var (low, high) = (Vector512<float>.Zero, Vector512<float>.Zero);
                for (var k = 0; k < weights.Length; k++)
                {
                    var at = (nuint)(k * stride + j);
                    var weight = Vector512.Create(weights[k]);
                    var first = Avx512F.ConvertToVector512Int32(Vector128.LoadUnsafe(ref from, at));
                    var next = Avx512F.ConvertToVector512Int32(Vector128.LoadUnsafe(ref from, at + 16));
                    low += Vector512.ConvertToSingle(first) * weight;
                    high += Vector512.ConvertToSingle(next) * weight;
                }
                low.StoreUnsafe(ref to, (nuint)j);
                high.StoreUnsafe(ref to, (nuint)j + 16);
            }
        }
        if (Avx2.IsSupported)
        {
            for (; j <= sums.Length - 16; j += 16)
            {
                var (low, high) = (Vector256<float>.Zero, Vector256<float>.Zero);
                for (var k = 0; k < weights.Length; k++)
                {
                    var bytes = Vector128.LoadUnsafe(ref from, (nuint)(k * stride + j));
                    var weight = Vector256.Create(weights[k]);
                    var next = Vector128.CreateScalarUnsafe(bytes.AsUInt64().GetElement(1)).AsByte();
                    low += Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(bytes)) * weight;
                    high += Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(next)) * weight;
                }
                low.StoreUnsafe(ref to, (nuint)j);
                high.StoreUnsafe(ref to, (nuint)j + 8);
            }
        }
        else if (Vector128.IsHardwareAccelerated)
        {
            for (; j <= sums.Length - 16; j += 16)
            {
                var (a, b, c, d) = (Vector128<float>.Zero, Vector128<float>.Zero, Vector128<float>.Zero, Vector128<float>.Zero);
                for (var k = 0; k < weights.Length; k++)
                {
                    var (low, high) = Vector128.Widen(Vector128.LoadUnsafe(ref from, (nuint)(k * stride + j)));
                    var weight = Vector128.Create(weights[k]);
                    a += Vector128.ConvertToSingle(Vector128.WidenLower(low).AsInt32()) * weight;
                    b += Vector128.ConvertToSingle(Vector128.WidenUpper(low).AsInt32()) * weight;
                    c += Vector128.ConvertToSingle(Vector128.WidenLower(high).AsInt32()) * weight;
                    d += Vector128.ConvertToSingle(Vector128.WidenUpper(high).AsInt32()) * weight;
                }
                a.StoreUnsafe(ref to, (nuint)j);
                b.StoreUnsafe(ref to, (nuint)j + 4);
                c.StoreUnsafe(ref to, (nuint)j + 8);
                d.StoreUnsafe(ref to, (nuint)j + 12);
            }
        }
        for (; j < sums.Length; j++)
        {
            var sum = 0f;
            for (var k = 0; k < weights.Length; k++)
            {
                sum += rows[k * stride + j] * weights[k];
            }
            sums[j] = sum;
        }
    }
}
