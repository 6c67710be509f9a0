using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.IntegrationTests;

/// <summary>
/// Random searches over equal, nearly equal, and unrelated vectors: a server with the embedded store and one with a real
/// Qdrant return the same scores, which are those of double precision, and the same order.
/// </summary>
public sealed class RandomSearchTests
{
    private const string Collection = "c";
    private const int Dimension = 75;
    private const int Searches = 1000;
    private const int Families = 24;
    private const double Agreement = 1e-6;

    private readonly Random _random = new(18);
    private readonly List<Stored> _points = [];

    [ToolFact("QDRANT_BINARY")]
    public async Task A_thousand_searches_have_the_same_scores_and_order_on_both_stores()
    {
        await using var qdrant = await QdrantNode.StartAsync();
        await using var first = await TestServer.StartAsync();
        await using var second = await TestServer.StartAsync("--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant.Address}");
        Fill();
        VectorStoreService.VectorStoreServiceClient[] stores = [first.Api.Vectors, second.Api.Vectors];
        foreach (var store in stores)
        {
            await store.UpsertVectorsAsync(new() { Collection = Collection, Points = { _points.Select(point => point.Message) } }).Bound();
        }

        var (tied, twins) = (0, 0);
        for (var i = 0; i < Searches; i++)
        {
            var request = RandomRequest(out var twin);
            var text = $"search {i}: limit {request.Limit}, threshold {request.ScoreThreshold}, filter {request.Filter}";
            var found = await Task.WhenAll(stores.Select(store => store.SearchVectorsAsync(request).Bound()));
            List<(string Id, float Score)>[] hits =
            [
                .. found.Select(result => result.Results[0].Points.Select(hit => (hit.Point.PointId, hit.Score)).ToList()),
            ];
            var matching = _points.Where(point => Matches(point.Message, request.Filter)).ToList();
            Assert.All(hits, list => AssertRight(list, request, matching, text));
            AssertSame(hits[0], hits[1], request, text);
            AssertSame(hits[1], hits[0], request, text);
            tied += hits[0].Count - hits[0].DistinctBy(hit => hit.Score).Count();
            if (twin is not null)
            {
                var expected = matching
                    .Where(point => point.Vector.SequenceEqual(twin))
                    .Select(point => point.Id)
                    .Order(StringComparer.Ordinal)
                    .Take(request.Limit)
                    .ToList();
                // Nearly equal vectors have the same score.
                Assert.All(hits, list => Assert.True(
                    request.Limit < matching.Count || expected.All(id => list.Contains((id, 1))), $"twin missing; {text}"));
                Assert.All(hits, list => Assert.True(expected.Count == 0 || list.Count > 0, $"nothing found; {text}"));
                twins += expected.Count;
            }
        }
        // Without ties and twins, the searches would prove little.
        Assert.InRange(tied, Searches, int.MaxValue);
        Assert.InRange(twins, Searches / 4, int.MaxValue);
    }

    // Scores are those of double precision, equal scores are in the order of ids, equal vectors have equal scores, and among
    // equal vectors the first ids are returned.
    private static void AssertRight(
        List<(string Id, float Score)> hits, SearchVectorsRequest request, List<Stored> matching, string text)
    {
        var query = request.Queries[0].Vector.Values.ToArray();
        var byId = matching.ToDictionary(point => point.Id);
        Assert.True(hits.Count == hits.DistinctBy(hit => hit.Id).Count(), text);
        Assert.True(hits.All(hit => Math.Abs(hit.Score - Cosine(query, byId[hit.Id].Vector)) <= Agreement), text);
        Assert.True(hits.All(hit => !request.HasScoreThreshold || hit.Score >= request.ScoreThreshold), text);
        var sorted = hits.OrderByDescending(hit => hit.Score).ThenBy(hit => hit.Id, StringComparer.Ordinal);
        Assert.True(hits.SequenceEqual(sorted), $"not sorted; {text}");
        foreach (var twins in hits.GroupBy(hit => byId[hit.Id].Direction))
        {
            Assert.True(twins.Select(hit => hit.Score).Distinct().Count() == 1, $"equal vectors with several scores; {text}");
            var first = matching.Where(point => point.Direction == twins.Key).Select(point => point.Id).Order(StringComparer.Ordinal);
            Assert.True(twins.Select(hit => hit.Id).SequenceEqual(first.Take(twins.Count())), $"not the first of the twins; {text}");
        }
    }

    // What one store found, the other found, too, in the same order, except for points within rounding of another or of a limit.
    private static void AssertSame(
        List<(string Id, float Score)> hits, List<(string Id, float Score)> others, SearchVectorsRequest request, string text)
    {
        var scores = others.ToDictionary(hit => hit.Id, hit => hit.Score);
        var last = hits.Count == 0 ? 0 : hits[^1].Score;
        foreach (var (id, score) in hits)
        {
            var isNearLimit = hits.Count == request.Limit && score - last <= 2 * Agreement;
            var isNearThreshold = request.HasScoreThreshold && score - request.ScoreThreshold <= 2 * Agreement;
            Assert.True(scores.ContainsKey(id) || isNearLimit || isNearThreshold, $"{id} found by one store; {text}");
            Assert.True(!scores.TryGetValue(id, out var other) || Math.Abs(score - other) <= Agreement, $"{id}: {score}, {other}; {text}");
        }
        var order = others.Select((hit, i) => (hit.Id, i)).ToDictionary(hit => hit.Id, hit => hit.i);
        List<(string Id, float Score)> both = [.. hits.Where(hit => order.ContainsKey(hit.Id))];
        for (var i = 1; i < both.Count; i++)
        {
            var above = both[..i].Where(hit => hit.Score - both[i].Score > 2 * Agreement);
            Assert.True(above.All(hit => order[hit.Id] < order[both[i].Id]), $"{both[i].Id} out of order; {text}");
        }
    }

    private void Fill()
    {
        for (var family = 0; family < Families; family++)
        {
            var center = RandomVector();
            for (var i = 0; i < 12; i++)
            {
                // In turn: twins, copies scaled by a power of two, by another factor, and with one value changed by one unit
                // in the last place.
                var at = _random.Next(Dimension);
                var factor = i % 4 == 1 ? MathF.ScaleB(1, _random.Next(-8, 9)) : 0.1f + (3 * _random.NextSingle());
                float[] vector = [.. center.Select(x => i % 4 is 1 or 2 ? x * factor : x)];
                vector[at] = i % 4 == 3 ? MathF.BitIncrement(vector[at]) : vector[at];
                Add(vector, i % 4 == 0 ? $"{family}" : $"{family}-{i}");
            }
        }
        for (var i = 0; i < 150; i++)
        {
            Add(RandomVector(), $"alone-{i}");
        }
    }

    private void Add(float[] vector, string direction)
    {
        // Ids in an order that is not that of insertion.
        var id = $"{_random.Next(1000):D3}-{_points.Count:D3}";
        var payload = new Payload
        {
            JobId = $"job{_random.Next(3)}",
            Attributes = new() { Fields = { ["n"] = Value.ForNumber(_random.Next(6)) } },
        };
        _points.Add(new(id, vector, direction, Items.Point(id, vector, payload)));
    }

    private SearchVectorsRequest RandomRequest(out float[]? twin)
    {
        var near = _points[_random.Next(_points.Count)].Vector;
        twin = _random.Next(3) == 0 ? near : null;
        var query = (float[])near.Clone();
        if (twin is null)
        {
            var noise = _random.Next(3) switch { 0 => 1e-3f, 1 => 0.3f, _ => 3f };
            query = [.. near.Select(x => x + (noise * x * _random.NextSingle()))];
        }
        var request = new SearchVectorsRequest
        {
            Collection = Collection,
            Queries = { new SearchQuery { Vector = new() { Values = { query } } } },
            Limit = _random.Next(4) == 0 ? 1000 : _random.Next(1, 30),
            WithPayload = _random.Next(2) == 0,
            WithVectors = _random.Next(4) == 0,
            Params = new() { Exact = _random.Next(2) == 0 },
        };
        if (twin is not null || _random.Next(2) == 0)
        {
            request.ScoreThreshold = twin is not null ? 1 : _random.NextSingle();
        }
        if (_random.Next(2) == 0)
        {
            request.Filter = new() { JobId = $"job{_random.Next(3)}" };
        }
        if (_random.Next(3) == 0)
        {
            request.Filter ??= new();
            request.Filter.Attributes.Add(new AttributeCondition { Key = "n", Range = new() { Gte = _random.Next(4), Lt = 6 } });
        }
        return request;
    }

    private static bool Matches(VectorPoint point, Filter? filter) =>
        filter is null
        || ((!filter.HasJobId || point.Payload.JobId == filter.JobId)
            && filter.Attributes.All(condition =>
                point.Payload.Attributes.Fields[condition.Key].NumberValue is var number
                && number >= condition.Range.Gte
                && number < condition.Range.Lt));

    private float[] RandomVector() => [.. Enumerable.Range(0, Dimension).Select(_ => (float)((2 * _random.NextDouble()) - 1))];

    private static double Cosine(float[] left, float[] right) =>
        left.Zip(right, (x, y) => (double)x * y).Sum()
        / Math.Sqrt(left.Sum(x => (double)x * x) * right.Sum(y => (double)y * y));

    /// <param name="Id">Id of the point.</param>
    /// <param name="Vector">The vector.</param>
    /// <param name="Direction">Equal for points with equal vectors.</param>
    /// <param name="Message">The point.</param>
    private sealed record Stored(string Id, float[] Vector, string Direction, VectorPoint Message);
}
