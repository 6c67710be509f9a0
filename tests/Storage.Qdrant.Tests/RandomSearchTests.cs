using System.Text.Json.Nodes;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// Random exact searches with offsets, groups, thresholds at the border, exclusions, and filters over random points: a real
/// Qdrant returns the points of the embedded store, with the same scores, bit for bit.
/// </summary>
[Collection(RealQdrant.Collection)]
public class RandomSearchTests(RealQdrant real) : IDisposable
{
    private const int Dimension = 70;
    private const int Points = 1300;
    private const string Name = "searched";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();
    private readonly Random _random = new(22);

    private protected virtual int Searches => 500;

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task Any_exact_search_has_the_same_result_bit_for_bit()
    {
        await using var embedded = await EmbeddedStores.StartAsync(_directory.Path);
        await using var qdrant = await real.StartStoreAsync();
        var points = RandomPoints();
        foreach (IVectorStore store in new IVectorStore[] { embedded, qdrant })
        {
            await store.EnsureCollectionAsync(new(Name, Dimension, null), None);
            foreach (var part in points.Chunk(500))
            {
                await store.UpsertAsync(Name, part, None);
            }
        }

        var (found, tied, atBorder) = (0, 0, 0);
        for (var i = 0; i < Searches; i++)
        {
            VectorQuery[] queries = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => RandomQuery(points))];
            var spec = RandomSpec();
            if (_random.Next(2) == 0)
            {
                // At the border: the score of a point, or one of its neighbors among all floats.
                var all = (await embedded.SearchAsync(Name, queries[..1], spec with { Limit = 1000, Offset = 0, GroupBy = null }, None))[0];
                if (all.Count > 0)
                {
                    var score = all[_random.Next(all.Count)].Score;
                    var threshold = _random.Next(3) switch { 0 => score, 1 => MathF.BitIncrement(score), _ => MathF.BitDecrement(score) };
                    spec = spec with { ScoreThreshold = Math.Clamp(threshold, -1, 1) };
                    atBorder++;
                }
            }
            var text = $"search {i}: {spec}, {spec.GroupBy}, {queries.Length} queries";
            var ours = await embedded.SearchAsync(Name, queries, spec, None);
            var theirs = await qdrant.SearchAsync(Name, queries, spec, None);
            for (var q = 0; q < queries.Length; q++)
            {
                var (expected, actual) = (VectorStoreContract.Seen(ours[q]), VectorStoreContract.Seen(theirs[q]));
                Assert.True(expected.SequenceEqual(actual), $"{text}\n{Text(expected)}\n{Text(actual)}");
                found += expected.Count;
                tied += expected.Count - expected.DistinctBy(hit => hit.Score).Count();
            }
        }
        // Searches without results or ties would prove little.
        Assert.InRange(found, 5 * Searches, int.MaxValue);
        Assert.InRange(tied, Searches, int.MaxValue);
        Assert.InRange(atBorder, Searches / 4, int.MaxValue);
    }

    private static string Text(IEnumerable<(string Id, float Score)> hits) => string.Join(", ", hits.Select(hit => $"{hit.Id} {hit.Score:R}"));

    private SearchSpec RandomSpec()
    {
        var size = _random.Next(3) == 0 ? _random.Next(1, 6) : 1;
        return new()
        {
            Exact = true,
            Limit = _random.Next(8) == 0 ? 1000 : _random.Next(1, 30),
            Offset = _random.Next(3) switch { 0 => _random.Next(50), 1 => _random.Next(1500), _ => 0 },
            WithPayload = _random.Next(2) == 0,
            WithVectors = _random.Next(4) == 0,
            GroupBy = _random.Next(7) switch
            {
                0 => new(GroupField.JobId) { Size = size },
                1 => new(GroupField.MediaStoreId) { Size = size },
                2 => new(GroupField.Attribute) { Path = ["person"], NamesOnly = true, Size = size },
                3 => new(GroupField.Attribute) { Path = ["camera", "lens"], Size = size },
                _ => null,
            },
            Filter = _random.Next(4) switch
            {
                0 => new() { JobId = $"job{_random.Next(4)}" },
                1 => new() { Attributes = [new("year", Range: new(null, _random.Next(2000, 2010), null, null))] },
                _ => PointFilter.All,
            },
        };
    }

    private VectorQuery RandomQuery(StoredPoint[] points)
    {
        var near = points[_random.Next(points.Length)];
        var noise = _random.Next(3) switch { 0 => 0, 1 => 1e-4f, _ => 1f };
        float[] vector = [.. near.Vector.ToArray().Select(x => x + (noise * x * _random.NextSingle()))];
        return _random.Next(2) == 0
            ? new(vector)
            : new(vector, Enumerable.Range(0, 5).Select(_ => points[_random.Next(points.Length)].Id).Append(near.Id).ToHashSet());
    }

    private StoredPoint[] RandomPoints()
    {
        var points = new List<StoredPoint>();
        while (points.Count < Points)
        {
            float[] center = [.. Enumerable.Range(0, Dimension).Select(_ => _random.NextSingle() - 0.5f)];
            // Twins, scaled copies, copies that differ by a unit in the last place, and neighbors.
            for (var i = _random.Next(1, 14); i > 0; i--)
            {
                var factor = _random.Next(3) == 0 ? 0.01f + (5 * _random.NextSingle()) : 1;
                float[] vector = [.. center.Select(x => x * factor)];
                var at = _random.Next(Dimension);
                vector[at] = _random.Next(3) switch { 0 => MathF.BitIncrement(vector[at]), 1 => vector[at] * 1.01f, _ => vector[at] };
                points.Add(new($"{_random.Next(1000):D3}-{points.Count}", vector, RandomPayload()));
            }
        }
        return [.. points];
    }

    private PointPayload RandomPayload()
    {
        var attributes = new JsonObject { ["year"] = _random.Next(2000, 2010) };
        if (_random.Next(3) > 0)
        {
            attributes["person"] = _random.Next(9) switch { 0 => "", 1 => 5, var n => $"person {n * _random.Next(5)}" };
        }
        attributes["camera"] = _random.Next(4) switch
        {
            0 => new JsonObject { ["lens"] = _random.Next(3) },
            1 => new JsonObject { ["lens"] = $"{_random.Next(3)}" },
            2 => new JsonArray("a"),
            _ => null,
        };
        return new()
        {
            JobId = $"job{_random.Next(4)}",
            MediaStoreId = _random.Next(6) == 0 ? "" : $"media{_random.Next(200)}",
            Attributes = attributes,
        };
    }
}

/// <summary>The same searches in strict mode, with small pages.</summary>
public sealed class StrictRandomSearchTests(StrictQdrant strict) : RandomSearchTests(strict), IClassFixture<StrictQdrant>
{
    // Fewer, because pages of 100 points take many calls.
    private protected override int Searches => 60;
}
