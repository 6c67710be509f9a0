using System.Text.Json.Nodes;
using Embeddings.Server.Grpc.Mapping;
using Embeddings.Storage;

namespace Embeddings.Server.Tests.Grpc;

/// <summary>The computed size of a point is that of its message.</summary>
public sealed class PointSizeTests
{
    private const int MaxError = 32;

    [Fact]
    public void The_size_is_never_too_low_and_at_most_a_few_bytes_too_high()
    {
        var random = new Random(17);
        for (var i = 0; i < 500; i++)
        {
            // As a store returns it: parsed from JSON, or created from values.
            var attributes = random.Next(4) == 0 ? null : Fields(random, 3);
            var point = Point(random, i % 2 == 0 ? attributes : JsonNode.Parse(attributes?.ToJsonString() ?? "null")?.AsObject());
            var hit = new V1.SearchResult { Points = { PointMapping.ToContract(new ScoredStoredPoint(random.NextSingle(), point), withPayload: true, samePersonFrom: 0.5f) } };
            var listed = new V1.ListVectorsResponse { Points = { PointMapping.ToContract(point) } };
            var size = PointSize.Of(point);
            Assert.InRange(size, Math.Max(hit.CalculateSize(), listed.CalculateSize()), hit.CalculateSize() + MaxError);
            Assert.InRange(size, PointSize.Least(point.Vector.Length), long.MaxValue);
        }
    }

    private static StoredPoint Point(Random random, JsonObject? attributes) => new(
        Text(random, 200),
        new float[random.Next(3) * random.Next(300)],
        new PointPayload
        {
            JobId = random.Next(2) == 0 ? "" : Text(random, 500),
            MediaStoreId = random.Next(2) == 0 ? "" : Text(random, 500),
            FaceIndex = random.Next(2) == 0 ? null : random.Next(),
            Bbox = random.Next(2) == 0 ? null : new(1, 2, 3, 4),
            Confidence = random.Next(2) == 0 ? null : 0.5f,
            Landmarks = random.Next(2) == 0 ? null : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            Attributes = attributes,
        });

    private static JsonObject Fields(Random random, int depth)
    {
        var fields = new JsonObject();
        for (var i = random.Next(6); i > 0; i--)
        {
            fields[Text(random, 20)] = Node(random, depth - 1);
        }
        return fields;
    }

    private static JsonNode? Node(Random random, int depth) => random.Next(depth > 0 ? 7 : 4) switch
    {
        0 => null,
        1 => JsonValue.Create(random.Next(2) == 0),
        2 => JsonValue.Create(random.Next(2) == 0 ? random.NextDouble() : random.Next(5)),
        3 => JsonValue.Create(Text(random, random.Next(20) == 0 ? 20_000 : 30)),
        4 => Fields(random, depth),
        _ => new JsonArray([.. Enumerable.Range(0, random.Next(6)).Select(_ => Node(random, depth - 1))]),
    };

    // With characters of one to four bytes, and with those that JSON escapes.
    private static string Text(Random random, int maxLength)
    {
        string[] parts = ["a", "b", "é", "語", "🚀", "\"", "\\", "\n", "\u0001", " "];
        return "x" + string.Concat(Enumerable.Range(0, random.Next(maxLength)).Select(_ => parts[random.Next(parts.Length)]));
    }
}
