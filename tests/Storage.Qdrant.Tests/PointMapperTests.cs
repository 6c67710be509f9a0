using System.Text.Json.Nodes;
using Google.Protobuf;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class PointMapperTests
{
    private static readonly DateTimeOffset Time = new(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("p", 1)]
    [InlineData("наука", 512)]
    [InlineData("🚀🚀🚀", 2048)]
    public void A_message_is_the_one_of_Qdrants_own_client(string text, int dimension)
    {
        float[] vector = [.. Enumerable.Range(1, dimension).Select(i => i / MathF.Sqrt(dimension))];
        float[] landmarks = [.. Enumerable.Range(0, 10).Select(i => i + 0.1f)];
        var point = new StoredPoint(text, vector, new()
        {
            JobId = text,
            MediaStoreId = "",
            FaceIndex = int.MaxValue,
            Confidence = 0.9f,
            Bbox = new(1.1f, 2, 0, 4),
            Landmarks = landmarks,
            Attributes = new JsonObject
            {
                ["text"] = text,
                ["number"] = 0,
                ["real"] = 0.5,
                ["flag"] = false,
                ["nothing"] = null,
                ["list"] = new JsonArray(1, "", new JsonObject { ["a.b"] = true }),
            },
            ExpiresAt = Time,
            OnHold = true,
        });
        var id = PointIds.Of(text);
        var norm = UnitVectors.NormOf(vector);
        var expected = new PointStruct
        {
            Id = id,
            Vectors = vector.Select(value => (float)(value * (1 / (norm ?? 1)))).ToArray(),
            Payload =
            {
                [PayloadKeys.PointId] = text,
                [PayloadKeys.JobId] = text,
                [PayloadKeys.MediaStoreId] = "",
                [PayloadKeys.FaceIndex] = int.MaxValue,
                [PayloadKeys.Confidence] = (double)0.9f,
                [PayloadKeys.Bbox] = new Value
                {
                    StructValue = new() { Fields = { ["x"] = (double)1.1f, ["y"] = 2.0, ["width"] = 0.0, ["height"] = 4.0 } },
                },
                [PayloadKeys.Landmarks] = new Value
                {
                    ListValue = new() { Values = { landmarks.Select(coordinate => (Value)(double)coordinate) } },
                },
                [PayloadKeys.Attributes] = AttributeValues.ToValue(point.Payload.Attributes!),
                [PayloadKeys.StoredAt] = Time.ToUnixTimeMilliseconds(),
                [PayloadKeys.ExpiresAt] = Time.ToUnixTimeMilliseconds(),
                [PayloadKeys.Hold] = true,
            },
        };
        if (norm is { } length)
        {
            expected.Payload[PayloadKeys.VectorNorm] = length;
        }
        var request = new Wire.UpsertPoints { CollectionName = "c", Wait = false, Points = { PointMapper.Encode(PointMapper.ToPoint(id, point, Time)) } };

        var read = UpsertPoints.Parser.ParseFrom(request.ToByteArray());

        Assert.Equal(new UpsertPoints { CollectionName = "c", Wait = false, Points = { expected } }, read);
        // The same bytes in another order: entries of a map have none.
        Assert.Equal(read.CalculateSize(), request.CalculateSize());
    }

    [Fact]
    public void A_vector_of_unit_length_is_written_without_a_copy()
    {
        float[] vector = [0.6f, 0.8f];
        var written = PointMapper.ToPoint(PointIds.Of("p"), new("p", vector, PointPayload.Empty));
        vector[0] = 1;
        Assert.Equal(1, BitConverter.ToSingle(written.Vectors.Vector.Dense.Data.Span));
    }
}
