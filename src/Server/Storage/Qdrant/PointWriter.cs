using System.Buffers;
using Qdrant.Client.Grpc;

namespace Embeddings.Server.Storage.Qdrant;

/// <summary>Points as Qdrant takes them.</summary>
internal static class PointWriter
{
    public static PointStruct ToPoint(Guid id, StoredPoint point)
    {
        var vector = new DenseVector();
        var norm = Fill(vector, point.Vector.Span);
        var result = new PointStruct { Id = new() { Uuid = id.ToString() }, Vectors = new() { Vector = new() { Dense = vector } } };
        var fields = result.Payload;
        var payload = point.Payload;
        fields.Add(PayloadKeys.PointId, point.Id);
        fields.Add(PayloadKeys.JobId, payload.JobId);
        fields.Add(PayloadKeys.MediaStoreId, payload.MediaStoreId);
        if (norm is { } length)
        {
            fields.Add(PayloadKeys.VectorNorm, length);
        }
        if (payload.FaceIndex is { } face)
        {
            fields.Add(PayloadKeys.FaceIndex, (long)face);
        }
        if (payload.Confidence is { } confidence)
        {
            fields.Add(PayloadKeys.Confidence, (double)confidence);
        }
        if (payload.Bbox is { } box)
        {
            fields.Add(PayloadKeys.Bbox, Numbers(("x", box.X), ("y", box.Y), ("width", box.Width), ("height", box.Height)));
        }
        if (payload.Landmarks is { } landmarks)
        {
            fields.Add(PayloadKeys.Landmarks, new Value { ListValue = new() { Values = { landmarks.Select(number => (Value)(double)number) } } });
        }
        if (payload.Attributes is { } attributes)
        {
            fields.Add(PayloadKeys.Attributes, AttributeValues.ToValue(attributes));
        }
        return result;
    }

    /// <summary>A query's vector at length 1.</summary>
    public static DenseVector ToQuery(ReadOnlySpan<float> vector)
    {
        var result = new DenseVector();
        Fill(result, vector);
        return result;
    }

    private static double? Fill(DenseVector target, ReadOnlySpan<float> vector)
    {
        var unit = ArrayPool<float>.Shared.Rent(vector.Length);
        var norm = StoredVectors.ToUnit(vector, unit);
        // A segment is a collection, which the field copies as a block.
        target.Data.AddRange(new ArraySegment<float>(unit, 0, vector.Length));
        ArrayPool<float>.Shared.Return(unit);
        return norm;
    }

    private static Value Numbers(params ReadOnlySpan<(string Name, float Number)> numbers)
    {
        var fields = new Struct();
        foreach (var (name, number) in numbers)
        {
            fields.Fields.Add(name, (double)number);
        }
        return new() { StructValue = fields };
    }
}
