using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;
using Embeddings.Storage;
using Google.Protobuf.Collections;

namespace Embeddings.Server.Grpc.Mapping;

/// <summary>Vectors and points, between the contract and the store.</summary>
internal static class VectorMapping
{
    /// <summary>A vector that a store may see: not empty, finite, not all zero.</summary>
    public static float[] ToVector(RepeatedField<float> values, string field)
    {
        if (values.Count == 0)
        {
            throw Require.Missing(field);
        }
        var vector = new float[values.Count];
        values.CopyTo(vector, 0);
        if (!VectorMath.IsFinite(vector))
        {
            throw Fault.Invalid(Reasons.VectorNotFinite, field, $"{field} holds NaN or infinity");
        }
        return VectorMath.IsZero(vector) ? throw Fault.Invalid(Reasons.VectorZero, field, $"{field} is all zero: it has no direction") : vector;
    }

    public static StoredPoint ToStored(V1.VectorPoint? point) => new(
        Require.Text(Require.Present(point, "point").PointId, "point_id", Require.MaxPointIdBytes),
        ToVector(point!.Vector, "vector"),
        FieldPath.Within("payload", () => PayloadMapping.ToStored(point.Payload)));

    public static V1.VectorPoint ToContract(StoredPoint point, bool withPayload = true)
    {
        var result = new V1.VectorPoint { PointId = point.Id };
        result.Vector.AddRange(point.Vector.ToArray());
        if (withPayload)
        {
            result.Payload = PayloadMapping.ToContract(point.Payload);
        }
        return result;
    }
}
