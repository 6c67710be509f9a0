using System.Text.Json.Nodes;
using Embeddings.Testing;
using Embeddings.Testing.Stores;


namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Random filters over random points: a real Qdrant answers as the embedded store does.</summary>
[Collection(RealQdrant.Collection)]
public class RandomFilterTests(RealQdrant real) : IDisposable
{
    private const int Points = 400;
    private const int Dimension = 8;
    private const int Limit = 10;
    private const double Rounding = 1e-5;
    private const string Name = "filtered";
    private static readonly string[] Keys = ["year", "tag", "mixed", "a.b", "list[0]", "é \"quoted\""];
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    private protected virtual int Filters => 600;

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task Any_filter_gives_the_points_of_the_embedded_store()
    {
        var random = new Random(18);
        await using var embedded = await EmbeddedStores.StartAsync(_directory.Path);
        await using var qdrant = await real.StartStoreAsync();
        StoredPoint[] points = [.. Enumerable.Range(0, Points).Select(i => RandomPoint(random, i))];
        foreach (IVectorStore store in new IVectorStore[] { embedded, qdrant })
        {
            await store.EnsureCollectionAsync(new(Name, Dimension, null), None);
            await store.UpsertAsync(Name, points, None);
        }

        var selective = 0;
        for (var i = 0; i < Filters; i++)
        {
            var filter = RandomFilter(random);
            var text = $"filter {i}: {filter} {string.Join(", ", filter.Attributes)}";
            var expected = await IdsAsync(embedded, filter);
            Assert.True(expected.SequenceEqual(await IdsAsync(qdrant, filter)), text);
            Assert.True(expected.Count == await qdrant.CountAsync(Name, filter, None), text);
            selective += expected.Count is > 0 and < Points ? 1 : 0;

            float? threshold = random.Next(3) == 0 ? 0.1f : null;
            var spec = new SearchSpec { Filter = filter, Limit = Limit, Exact = true, ScoreThreshold = threshold };
            VectorQuery[] queries = [new(RandomVector(random)), new(RandomVector(random))];
            var ours = await embedded.SearchAsync(Name, queries, spec, None);
            var theirs = await qdrant.SearchAsync(Name, queries, spec, None);
            Assert.All(ours.Zip(theirs), pair => AssertSame(pair.First, pair.Second, text));
        }
        // Filters that match all points or none would prove little.
        Assert.InRange(selective, Filters / 2, Filters);
    }

    /// <summary>The same scores in the same order, and the same points except for those whose scores are equal.</summary>
    private static void AssertSame(IReadOnlyList<ScoredStoredPoint> expected, IReadOnlyList<ScoredStoredPoint> found, string text)
    {
        Assert.True(expected.Count == found.Count, $"{expected.Count} hits expected, {found.Count} found; {text}");
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.True(Math.Abs(expected[i].Score - found[i].Score) < Rounding, text);
            var alone = expected.Count(hit => Math.Abs(hit.Score - expected[i].Score) < 2 * Rounding) == 1;
            // The last may be tied with a point beyond the limit.
            Assert.True(!alone || i == Limit - 1 || expected[i].Point.Id == found[i].Point.Id, text);
        }
    }

    private static async Task<List<string>> IdsAsync(IVectorStore store, PointFilter filter)
    {
        var page = await store.ListAsync(Name, filter, Points + 1, "", withVectors: false, None);
        return [.. page.Points.Select(point => point.Id).Order(StringComparer.Ordinal)];
    }

    private static StoredPoint RandomPoint(Random random, int i) => new($"p{i:D3}", RandomVector(random), new()
    {
        JobId = $"job-{random.Next(6)}",
        MediaStoreId = $"media-{random.Next(4)}",
        FaceIndex = random.Next(3) == 0 ? null : random.Next(4),
        Confidence = random.Next(4) == 0 ? null : random.Next(11) / 10f,
        Attributes = random.Next(8) == 0 ? null : RandomAttributes(random),
    });

    private static JsonObject RandomAttributes(Random random)
    {
        var attributes = new JsonObject { ["year"] = random.Next(2000, 2010), ["tag"] = $"t{random.Next(3)}" };
        foreach (var key in Keys.Skip(1).Where(_ => random.Next(3) > 0))
        {
            attributes[key] = RandomValue(random);
        }
        return attributes;
    }

    private static JsonNode? RandomValue(Random random) => random.Next(10) switch
    {
        0 => null,
        1 => random.Next(2) == 0,
        2 => $"t{random.Next(3)}",
        3 => $"{random.Next(4)}",
        4 => random.Next(4) + 0.5,
        5 => random.Next(4) == 0 ? new JsonArray() : new JsonArray(random.Next(4), $"t{random.Next(3)}", true),
        6 => new JsonObject { ["year"] = random.Next(4) },
        7 => (double)random.Next(-2, 4),
        8 => 9007199254740993 + random.Next(2),
        _ => random.Next(-2, 4),
    };

    private static PointFilter RandomFilter(Random random) => new()
    {
        JobId = random.Next(5) == 0 ? $"job-{random.Next(7)}" : null,
        MediaStoreId = random.Next(5) == 0 ? $"media-{random.Next(5)}" : null,
        FaceIndex = random.Next(6) == 0 ? random.Next(5) : null,
        Confidence = random.Next(5) == 0 ? RandomRange(random, () => random.Next(11) / 10.0) : null,
        Attributes = [.. Enumerable.Range(0, (random.Next(5) + 2) / 3).Select(_ => RandomCondition(random))],
    };

    private static AttributeCondition RandomCondition(Random random)
    {
        var key = random.Next(3) == 0 ? "year" : Keys[random.Next(Keys.Length)];
        if (key == "year")
        {
            return random.Next(4) == 0
                ? new(key, Number: random.Next(1999, 2011))
                : new(key, Range: RandomRange(random, () => random.Next(1999, 2011)));
        }
        return random.Next(8) switch
        {
            6 or 7 => new(key, Exists: random.Next(2) == 0),
            0 => new(key, Flag: random.Next(2) == 0),
            1 or 2 => new(key, Text: random.Next(3) == 0 ? $"{random.Next(4)}" : $"t{random.Next(3)}"),
            3 => new(key, Number: random.Next(4) == 0 ? random.Next(4) + 0.5 : random.Next(-2, 4)),
            _ => new(key, Range: RandomRange(random, () => random.Next(8) / 2.0)),
        };
    }

    private static NumericRange RandomRange(Random random, Func<double> bound) => random.Next(6) switch
    {
        0 => new(bound(), null, null, null),
        1 => new(null, bound(), null, null),
        2 => new(null, null, bound(), null),
        3 => new(null, null, null, bound()),
        4 => new(bound(), null, bound(), null),
        _ => new(null, bound(), null, bound()),
    };

    private static float[] RandomVector(Random random) =>
        [.. Enumerable.Range(0, Dimension).Select(_ => (float)(random.NextDouble() - 0.5))];
}

/// <summary>The same filters in strict mode, in which each attribute gets an index and has it replaced when the type changes.</summary>
public sealed class StrictRandomFilterTests(StrictQdrant strict) : RandomFilterTests(strict), IClassFixture<StrictQdrant>
{
    // Fewer, because many of them build an index.
    private protected override int Filters => 60;
}
