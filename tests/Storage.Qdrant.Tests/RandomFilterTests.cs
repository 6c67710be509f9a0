using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// Random trees of filters over random points: the embedded store and a real Qdrant, without and with indexes of attributes, select the points
/// that the definition (<see cref="FilterEvaluator"/>) does.
/// </summary>
[Collection(RealQdrant.Collection)]
public class RandomFilterTests(RealQdrant real) : IDisposable
{
    private const int Points = 400;
    private const int Dimension = 8;
    private const int Limit = 10;
    private const double Rounding = 1e-5;
    private const int Deletions = 20;
    private const string Name = "filtered";
    private const string Indexed = "indexed";
    private static readonly string[] Keys = ["year", "tag", "mixed", "a.b", "list[0]", "é \"quoted\""];
    private static readonly AttributePath Nested = new(["o", "n.m"]);
    private static readonly AttributePath Deeper = new(["o", "p", "q"]);

    private static readonly IndexedAttribute[] Indexes =
    [
        new("year", AttributeType.Number), new("tag", AttributeType.Text), new("taken", AttributeType.Time),
        new("list[0]", AttributeType.Flag), new(Nested, AttributeType.Number), new(Deeper, AttributeType.Text),
    ];

    private static readonly string[] Times =
    [
        "2026-05-01T12:00:00Z", "2026-05-01T12:00:00.0004Z", "2026-05-01T12:00:00.001+00:00", "2026-05-01T14:00:00+02:00", "2026-05-01T11:59:59.9999Z",
        "2026-05-01", "2026-05-01 12:00:00", "2026-05-01T12:00:00", "12:00", "",
    ];

    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    private protected virtual int Filters => 600;

    /// <summary>True if Qdrant refuses filters that compare a field with values of several types.</summary>
    private protected virtual bool IsStrict => false;

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task Any_filter_selects_the_same_points_in_both_stores()
    {
        var random = new Random(18);
        await using var embedded = await EmbeddedStores.StartAsync(_directory.Path);
        await using var qdrant = await real.StartStoreAsync();
        var points = Enumerable.Range(0, Points).Select(i => RandomPoint(random, i)).ToList();
        IVectorStore[] stores = [embedded, qdrant];
        foreach (var store in stores)
        {
            foreach (var name in (string[])[Name, Indexed])
            {
                await store.EnsureCollectionAsync(new(name, Dimension, null), None);
                await store.UpsertAsync(name, points, None);
                await store.SetHoldAsync(name, [.. points.Where(point => point.Payload.OnHold).Select(point => point.Id)], true, None);
            }
            await store.SetIndexedAttributesAsync(Indexed, Indexes, [], None);
        }

        var (selective, refused) = (0, 0);
        for (var i = 0; i < Filters; i++)
        {
            var filter = RandomFilter(random, 0);
            var text = $"filter {i}: {Describe(filter)}";
            var expected = points.Where(filter.Matches).Select(point => point.Id).Order(StringComparer.Ordinal).ToList();
            selective += expected.Count is > 0 and < Points ? 1 : 0;
            foreach (var name in (string[])[Name, Indexed])
            {
                await CheckAsync(embedded, name, filter, expected, $"embedded {name}, {text}");
                try
                {
                    await CheckAsync(qdrant, name, filter, expected, $"Qdrant {name}, {text}");
                    float? threshold = random.Next(3) == 0 ? 0.1f : null;
                    var spec = new SearchSpec { Filter = filter, Limit = Limit, Exact = true, ScoreThreshold = threshold };
                    VectorQuery[] queries = [new(RandomVector(random)), new(RandomVector(random))];
                    var ours = await embedded.SearchAsync(name, queries, spec, None);
                    var theirs = await qdrant.SearchAsync(name, queries, spec, None);
                    Assert.All(ours.Zip(theirs), pair => AssertSame(pair.First, pair.Second, text));
                }
                catch (Fault fault) when (IsStrict && fault.Reason is Reasons.IndexConflict or Reasons.PrefixTooBroad)
                {
                    refused++;
                }
            }
        }
        // Filters that match all points or none would prove little.
        Assert.InRange(selective, Filters / 3, Filters);
        Assert.InRange(refused, 0, IsStrict ? Filters : 0);

        for (var i = 0; i < (IsStrict ? 0 : Deletions); i++)
        {
            var filter = RandomFilter(random, 0);
            var text = $"deletion {i}: {Describe(filter)}";
            var (free, held) = (points.Count(point => filter.Matches(point) && !point.Payload.OnHold), points.Count(point => filter.Matches(point) && point.Payload.OnHold));
            foreach (var store in stores)
            {
                Assert.True(new DeleteCounts(free, held) == await store.DeleteAsync(Indexed, filter, null, None), text);
            }
            points.RemoveAll(point => filter.Matches(point) && !point.Payload.OnHold);
            var added = Enumerable.Range(0, free).Select(n => RandomPoint(random, Points + (i * Points) + n)).Select(point => point with { Payload = point.Payload with { OnHold = false } }).ToList();
            points.AddRange(added);
            var rest = points.Select(point => point.Id).Order(StringComparer.Ordinal).ToList();
            foreach (var store in stores)
            {
                await store.UpsertAsync(Indexed, added, None);
                await CheckAsync(store, Indexed, PointFilter.All, rest, text);
            }
        }
    }

    private static async Task CheckAsync(IVectorStore store, string collection, PointFilter filter, List<string> expected, string text)
    {
        var page = await store.ListAsync(collection, filter, 2 * Points, "", withVectors: false, None);
        var listed = page.Points.Select(point => point.Id).Order(StringComparer.Ordinal);
        Assert.True(expected.SequenceEqual(listed), $"expected {string.Join(' ', expected)}, listed {string.Join(' ', listed)}; {text}");
        Assert.True(expected.Count == await store.CountAsync(collection, filter, None), $"counted; {text}");
        var spec = new SearchSpec { Filter = filter, Limit = 2 * Points, WithPayload = false, Exact = true };
        var found = (await store.SearchAsync(collection, [new(new float[] { 1, 0, 0, 0, 0, 0, 0, 0 })], spec, None))[0];
        var ids = found.Select(hit => hit.Point.Id).Order(StringComparer.Ordinal);
        Assert.True(expected.SequenceEqual(ids), $"expected {string.Join(' ', expected)}, found {string.Join(' ', ids)}; {text}");
        var keys = await store.ListKeysAsync(collection, filter, "", None);
        Assert.True(keys.NextPageToken.Length > 0 || expected.Count == keys.Keys.Count, $"keys; {text}");
    }

    private static string Describe(PointFilter filter) =>
        $"{filter} {string.Join(", ", filter.Attributes.Select(one => $"{one} in {string.Join('|', one.TextIn ?? [])}{string.Join('|', one.NumberIn ?? [])}"))} "
        + $"ids {string.Join('|', filter.PointIds)} jobs {string.Join('|', filter.JobIds)} "
        + $"all ({string.Join("; ", filter.AllOf.Select(Describe))}) any ({string.Join("; ", filter.AnyOf.Select(Describe))}) none ({string.Join("; ", filter.NoneOf.Select(Describe))})";

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

    private static StoredPoint RandomPoint(Random random, int i) => new($"p{i:D3}", RandomVector(random), new()
    {
        JobId = $"job-{random.Next(6)}",
        MediaStoreId = $"media-{random.Next(4)}",
        FaceIndex = random.Next(3) == 0 ? null : random.Next(4),
        Confidence = random.Next(4) == 0 ? null : random.Next(11) / 10f,
        Attributes = random.Next(8) == 0 ? null : RandomAttributes(random),
        StoredAt = DateTimeOffset.FromUnixTimeMilliseconds(1_777_636_800_000 + random.Next(4)),
        ExpiresAt = random.Next(3) == 0 ? DateTimeOffset.FromUnixTimeMilliseconds(1_777_636_800_000 + random.Next(4)) : null,
        OnHold = random.Next(10) == 0,
    });

    private static JsonObject RandomAttributes(Random random)
    {
        var attributes = new JsonObject { ["year"] = random.Next(2000, 2010), ["tag"] = $"t{random.Next(3)}" };
        foreach (var key in Keys.Skip(1).Where(_ => random.Next(3) > 0))
        {
            attributes[key] = RandomValue(random);
        }
        if (random.Next(4) > 0)
        {
            attributes["taken"] = random.Next(8) == 0 ? RandomValue(random) : Times[random.Next(Times.Length)];
        }
        if (random.Next(4) > 0)
        {
            attributes["o"] = random.Next(8) == 0
                ? RandomValue(random)
                : new JsonObject { ["n.m"] = RandomValue(random), ["p"] = random.Next(4) == 0 ? RandomValue(random) : new JsonObject { ["q"] = RandomValue(random) } };
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

    private static PointFilter RandomFilter(Random random, int depth) => new()
    {
        JobId = random.Next(8) == 0 ? $"job-{random.Next(7)}" : null,
        MediaStoreId = random.Next(8) == 0 ? $"media-{random.Next(5)}" : null,
        FaceIndex = random.Next(10) == 0 ? random.Next(5) : null,
        Confidence = random.Next(8) == 0 ? RandomRange(random, () => random.Next(11) / 10.0) : null,
        OnHold = random.Next(12) == 0 ? random.Next(2) == 0 : null,
        PointIds = random.Next(15) == 0 ? [.. Enumerable.Range(0, 200).Select(_ => $"p{random.Next(Points + 10):D3}").Distinct()] : [],
        JobIds = random.Next(12) == 0 ? [.. Enumerable.Range(0, 3).Select(_ => $"job-{random.Next(7)}").Distinct()] : [],
        MediaStoreIds = random.Next(15) == 0 ? [$"media-{random.Next(4)}", "media-1"] : [],
        PointIdPrefix = random.Next(15) == 0 ? $"p{random.Next(4)}" : null,
        JobIdPrefix = random.Next(20) == 0 ? "job-"[..random.Next(1, 5)] : null,
        MediaStoreIdPrefix = random.Next(20) == 0 ? $"media-{random.Next(5)}" : null,
        StoredAt = random.Next(15) == 0 ? RandomTimes(random) : null,
        ExpiresAt = random.Next(15) == 0 ? RandomTimes(random) : null,
        Attributes = [.. Enumerable.Range(0, (random.Next(5) + 2) / (3 + depth)).Select(_ => RandomCondition(random))],
        AllOf = Parts(random, depth, 5),
        AnyOf = Parts(random, depth, 3),
        NoneOf = Parts(random, depth, 4),
    };

    private static PointFilter[] Parts(Random random, int depth, int rarity) =>
        depth < 3 && random.Next(rarity) == 0
            ? [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomFilter(random, depth + 1))]
            : [];

    private static AttributeCondition RandomCondition(Random random)
    {
        AttributePath path = random.Next(8) switch
        {
            0 or 1 => "year",
            2 => "taken",
            3 => Nested,
            4 => Deeper,
            _ => Keys[random.Next(Keys.Length)],
        };
        if (path.Names[0] == "year")
        {
            return random.Next(4) switch
            {
                0 => new(path, Number: random.Next(1999, 2011)),
                1 => new(path) { NumberIn = [random.Next(1999, 2011), 2005, 2001.5] },
                _ => new(path, Range: RandomRange(random, () => random.Next(1999, 2011))),
            };
        }
        if (path.Names[0] == "taken" && random.Next(4) > 0)
        {
            return new(path) { Time = RandomTimes(random) };
        }
        // A prefix needs an index that an attribute with another one cannot have.
        var mayHavePrefix = !Indexes.Any(index => index.Path.Equals(path) && index.Type is AttributeType.Number or AttributeType.Flag);
        return random.Next(12) switch
        {
            6 or 7 => new(path, Exists: random.Next(2) == 0),
            0 => new(path, Flag: random.Next(2) == 0),
            1 or 2 => new(path, Text: random.Next(3) == 0 ? $"{random.Next(4)}" : $"t{random.Next(3)}"),
            3 => new(path, Number: random.Next(4) == 0 ? random.Next(4) + 0.5 : random.Next(-2, 4)),
            8 => new(path) { TextIn = ["t0", $"t{random.Next(3)}", "1"] },
            9 => new(path) { NumberIn = [random.Next(-2, 4), 1.5, 9007199254740992] },
            10 or 11 when mayHavePrefix => new(path) { Prefix = random.Next(3) == 0 ? $"{random.Next(4)}" : random.Next(2) == 0 ? "t" : "t1" },
            _ => new(path, Range: RandomRange(random, () => random.Next(8) / 2.0)),
        };
    }

    private static TimeRange RandomTimes(Random random)
    {
        var bound = 1_777_636_800_000 + random.Next(-1, 4);
        return random.Next(6) switch
        {
            0 => new(After: bound),
            1 => new(From: bound),
            2 => new(Before: bound),
            3 => new(To: bound),
            4 => new(From: bound, Before: bound + 2),
            _ => new(After: bound - 2, To: bound),
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

    private protected override bool IsStrict => true;
}
