using Google.Protobuf.Collections;
using Qdrant.Client.Grpc;

namespace Embeddings.QdrantDouble.State;

/// <summary>A point as it is kept: its vector as Qdrant's cosine distance wants it.</summary>
internal sealed record Point(PointKey Key, float[] Vector, MapField<string, Value> Payload)
{
    /// <summary>What Qdrant does on upload: divides by the length, unless the vector is (nearly) zero or has length 1 already.</summary>
    public static float[] Normalise(float[] vector)
    {
        var squares = 0f;
        foreach (var value in vector)
        {
            squares += value * value;
        }
        // f32::EPSILON, which is not .NET's.
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
