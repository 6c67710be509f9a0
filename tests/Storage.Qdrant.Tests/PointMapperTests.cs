using System.Text.Json.Nodes;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class PointMapperTests
{
    [Theory]
    [InlineData("p", 1, 0)]
    [InlineData("наука", 512, 1000)]
    [InlineData("🚀🚀🚀", 2048, 60_000)]
    public void The_size_estimate_is_never_too_low(string text, int dimension, int attributeBytes)
    {
        var vector = Enumerable.Range(1, dimension).Select(i => (float)i).ToArray();
        var point = new StoredPoint(string.Concat(Enumerable.Repeat(text, 20)), vector, new()
        {
            JobId = text,
            MediaStoreId = text,
            FaceIndex = int.MaxValue,
            Confidence = 0.9f,
            Bbox = new(1.1f, 2, 3, 4),
            Landmarks = [.. Enumerable.Repeat(1.1f, 10)],
            Attributes = attributeBytes > 0 ? new JsonObject { ["text"] = new string('x', attributeBytes) } : null,
        });
        var written = PointMapper.ToPoint(PointIds.Of(point.Id), point);
        Assert.InRange(PointMapper.SizeOf(point, written), written.CalculateSize(), written.CalculateSize() + 1024);
    }
}
