using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Embeddings.Core.Models;

namespace Embeddings.Core.Imaging;

/// <summary>
/// One channel's (x - mean) / std. The subtraction comes first, as in the formula: one multiply-add with -mean / std would be less work and lose the digits
/// of values near the mean.
/// </summary>
internal readonly struct ChannelScale(float mean, float std)
{
    private readonly float _mean = mean;
    private readonly float _std = std;
    private readonly float _inverse = 1 / std;

    public static ChannelScale Of(InputSpec spec, int channel) => new(spec.Mean[channel], spec.Std[channel]);

    public float Apply(byte value) => (value - _mean) / _std;

    /// <summary>Sixteen values to sixteen floats, within a rounding of <see cref="Apply"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(Vector128<byte> values, ref float to)
    {
        if (Avx512F.IsSupported)
        {
            var x = Avx512F.ConvertToVector512Single(Avx512F.ConvertToVector512Int32(values));
            ((x - Vector512.Create(_mean)) * Vector512.Create(_inverse)).StoreUnsafe(ref to);
        }
        else if (Avx2.IsSupported)
        {
            var (mean, inverse) = (Vector256.Create(_mean), Vector256.Create(_inverse));
            var high = Vector128.CreateScalarUnsafe(values.AsUInt64().GetElement(1)).AsByte();
            ((Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(values)) - mean) * inverse).StoreUnsafe(ref to);
            ((Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(high)) - mean) * inverse).StoreUnsafe(ref to, 8);
        }
        else
        {
            var (mean, inverse) = (Vector128.Create(_mean), Vector128.Create(_inverse));
            var (low, high) = Vector128.Widen(values);
            ((Vector128.ConvertToSingle(Vector128.WidenLower(low).AsInt32()) - mean) * inverse).StoreUnsafe(ref to);
            ((Vector128.ConvertToSingle(Vector128.WidenUpper(low).AsInt32()) - mean) * inverse).StoreUnsafe(ref to, 4);
            ((Vector128.ConvertToSingle(Vector128.WidenLower(high).AsInt32()) - mean) * inverse).StoreUnsafe(ref to, 8);
            ((Vector128.ConvertToSingle(Vector128.WidenUpper(high).AsInt32()) - mean) * inverse).StoreUnsafe(ref to, 12);
        }
    }
}
