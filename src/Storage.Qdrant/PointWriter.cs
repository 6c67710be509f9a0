using System.Buffers;
using System.Runtime.InteropServices;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Points as Qdrant takes them.</summary>
internal static class PointWriter
{
    // Keys, tags, lengths, the id and what is of one size.
    private const int Overhead = 256;

    public static PointStruct ToPoint(Guid id, StoredPoint point)
    {
        var vector = new DenseVector();
        var norm = Fill(vector, point.Vector);
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
    public static DenseVector ToQuery(ReadOnlyMemory<float> vector)
    {
        var result = new DenseVector();
        Fill(result, vector);
        return result;
    }

    /// <summary>Bytes that a point takes on the wire, roughly, and rather too many: enough to bound what is sent at once.</summary>
    public static int SizeOf(StoredPoint point, PointStruct written)
    {
        var payload = point.Payload;
        var texts = point.Id.Length + payload.JobId.Length + payload.MediaStoreId.Length;
        var attributes = payload.Attributes is null ? 0 : written.Payload[PayloadKeys.Attributes].CalculateSize();
        var boxes = (payload.Bbox is null ? 0 : Overhead / 2) + (payload.Landmarks is null ? 0 : Overhead / 2);
        return Overhead + (point.Vector.Length * sizeof(float)) + (texts * 3) + attributes + boxes;
    }

    private static double? Fill(DenseVector target, ReadOnlyMemory<float> vector)
    {
        var norm = StoredVectors.NormOf(vector.Span);
        if (norm is null && MemoryMarshal.TryGetArray(vector, out var own))
        {
            // A segment is a collection, which the field copies as a block.
            target.Data.AddRange(own);
            return null;
        }
        var unit = ArrayPool<float>.Shared.Rent(vector.Length);
        StoredVectors.ToUnit(vector.Span, norm ?? 1, unit);
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
