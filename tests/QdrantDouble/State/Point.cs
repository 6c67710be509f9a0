using Google.Protobuf.Collections;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>A stored point, with its vector normalized as Qdrant does for cosine distance.</summary>
internal sealed record Point(PointKey Key, float[] Vector, MapField<string, Value> Payload)
{
    /// <summary>
    /// Normalizes like Qdrant on upload: divides by the norm unless the vector is almost zero or already has norm 1.
    /// </summary>
    public static float[] Normalize(float[] vector)
    {
        var squares = 0f;
        foreach (var value in vector)
        {
            squares += value * value;
        }
        // Rust's f32::EPSILON, which differs from .NET's.
        const float Epsilon = 1.1920929e-7f;
        if (squares < Epsilon || MathF.Abs(squares - 1) <= 1e-6f)
        {
            return vector;
        }
        var length = MathF.Sqrt(squares);
        return Array.ConvertAll(vector, value => value / length);
    }

    public float Score(ReadOnlySpan<float> query)
    {
        var sum = 0f;
        for (var i = 0; i < query.Length; i++)
        {
            sum += query[i] * Vector[i];
        }
        return sum;
    }
}
