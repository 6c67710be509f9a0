using System.Numerics.Tensors;

namespace Embeddings.Primitives.Numerics;

/// <summary>Whether numbers are numbers.</summary>
internal static class Finite
{
    /// <summary>True where no value is NaN or infinite; true for none.</summary>
    // MaxMagnitude hands NaN on, so one pass answers for all of them.
    public static bool All(ReadOnlySpan<float> values) => values.IsEmpty || float.IsFinite(TensorPrimitives.MaxMagnitude(values));

    /// <summary>True where every value is zero (of either sign); true for none.</summary>
    public static bool IsZero(ReadOnlySpan<float> values) => values.IsEmpty || TensorPrimitives.MaxMagnitude(values) == 0;
}
