using System.Buffers;
using Embeddings.Primitives.Numerics;
using Google.Protobuf.Collections;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Qdrant normalizes vectors in single precision and leaves very short ones unchanged. Therefore they are normalized
/// here, accurately for every norm, and the norm is stored with the point. A vector with norm 1 is returned bit for
/// bit; the values of other vectors have a relative error of at most 2^-22 (and an absolute error of 1e-38 times the
/// norm, for values that are negligible). See <see cref="UnitVectors"/>.
/// </summary>
internal static class StoredVectors
{
    /// <summary>The score of a stored vector for a query.</summary>
    public static float Score(RepeatedField<float> query, RepeatedField<float> stored)
    {
        var count = query.Count;
        var values = ArrayPool<float>.Shared.Rent(2 * count);
        query.CopyTo(values, 0);
        stored.CopyTo(values, count);
        var cosine = VectorMath.PreciseCosine(values.AsSpan(0, count), values.AsSpan(count, count));
        ArrayPool<float>.Shared.Return(values);
        return Storage.Score.Of(cosine);
    }

    /// <summary>Restores the original vector.</summary>
    public static float[] FromUnit(IReadOnlyList<float> unit, double? norm)
    {
        var vector = new float[unit.Count];
        if (unit is ICollection<float> values)
        {
            values.CopyTo(vector, 0);
        }
        if (norm is { } length)
        {
            for (var i = 0; i < vector.Length; i++)
            {
                vector[i] = (float)(vector[i] * length);
            }
        }
        return vector;
    }
}
