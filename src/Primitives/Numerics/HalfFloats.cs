using System.Numerics.Tensors;

namespace Embeddings.Primitives.Numerics;

/// <summary>Between float32 and float16, for models that speak the latter.</summary>
internal static class HalfFloats
{
    /// <summary>Rounds to nearest, ties to even; what is beyond 65,504 becomes infinite. <paramref name="to"/> is as long as <paramref name="from"/>.</summary>
    public static void FromSingle(ReadOnlySpan<float> from, Span<Half> to) => TensorPrimitives.ConvertToHalf(from, to);

    /// <summary>Exact. <paramref name="to"/> is as long as <paramref name="from"/>.</summary>
    public static void ToSingle(ReadOnlySpan<Half> from, Span<float> to) => TensorPrimitives.ConvertToSingle(from, to);
}
