using Embeddings.Primitives;
using Embeddings.Storage;
using Embeddings.Testing;

namespace Embeddings.Testing.Stores;

public abstract partial class VectorStoreContract
{
    [Fact]
    public async Task Search_is_ordered_and_ties_go_by_ordinal_id()
    {
        await using var store = await StartedAsync(5);
        string[] ids = ["b", "B", "a10", "a2", "é", "Z", "_", "a1"];
        var tied = ids.Select(id => Point(id, [1, 2, 3, 4, 5]));
        await store.UpsertAsync(Name, [.. tied, Point("best", [0, 0, 0, 0, 1]), Point("far", [0, 0, 0, 0, -1])], None);

        var hits = await SearchAsync(store, [0, 0, 0, 0, 2], new SearchSpec { Limit = 4 });

        Assert.Equal(["best", .. ids.Order(StringComparer.Ordinal).Take(3)], hits.Select(hit => hit.Point.Id));
        Assert.Equal(1, hits[0].Score, 1e-6);
        Assert.Equal(5 / Math.Sqrt(55), hits[1].Score, 1e-6);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(75)]
    public async Task Twins_are_found_at_threshold_1_and_equal_vectors_come_in_the_order_of_ids(int dimension)
    {
        await using var store = await StartedAsync(dimension);
        var random = new Random(dimension);
        float[] Vector() => [.. Enumerable.Range(0, dimension).Select(_ => (float)random.NextDouble() - 0.5f)];
        foreach (var round in Enumerable.Range(0, 50))
        {
            var vector = Vector();
            var factor = 0.01f + (10 * random.NextSingle());
            // At positions that have nothing in common.
            StoredPoint[] points =
            [
                Point("twin-b", vector),
                Point("other", Vector()),
                Point("twin-a", [.. vector.Select(x => x * 8)]),
                Point("scaled", [.. vector.Select(x => x * factor)]),
                Point("twin-c", vector),
            ];
            await store.UpsertAsync(Name, points, None);
            string[] expected = ["scaled", "twin-a", "twin-b", "twin-c"];
            foreach (var withPayload in (bool[])[true, false])
            {
                var spec = new SearchSpec { ScoreThreshold = 1, WithPayload = withPayload };
                var found = await SearchAsync(store, vector, spec);
                Assert.Equal(expected, found.Select(hit => hit.Point.Id));
                Assert.All(found, hit => Assert.Equal(1, hit.Score));
                // At the limit, too.
                Assert.Equal(expected[..2], (await SearchAsync(store, vector, spec with { Limit = 2 })).Select(hit => hit.Point.Id));

                var opposite = await SearchAsync(store, [.. vector.Select(x => -x)], spec with { ScoreThreshold = null });
                Assert.All(opposite.Where(hit => hit.Point.Id != "other"), hit => Assert.Equal(-1, hit.Score));

                var query = Vector();
                var others = await SearchAsync(store, query, spec with { ScoreThreshold = -1 });
                Assert.Equal(5, others.Count);
                var twins = others.Where(hit => hit.Point.Id.StartsWith("twin", StringComparison.Ordinal)).ToList();
                Assert.Equal(["twin-a", "twin-b", "twin-c"], twins.Select(hit => hit.Point.Id));
                Assert.Single(twins.Select(hit => hit.Score).Distinct());
                Assert.All(others, hit => Assert.Equal(
                    Cosine(query, points.Single(point => point.Id == hit.Point.Id).Vector.Span), hit.Score, 1e-6));
            }
        }
    }

    [Fact]
    public async Task Large_numbers_are_stored_exactly_and_equal_only_themselves()
    {
        double[] numbers =
        [
            0, 1, 0.1, 123456.789, 1e15, 1e15 + 1, 1e22, 1e300,
            (1L << 53) - 1, 1L << 53, (1L << 53) + 2, (1L << 53) + 4, -(1L << 53), -(1L << 53) - 2,
            1L << 60, (1L << 60) + 256, Math.BitDecrement(Math.Pow(2, 63)), -Math.Pow(2, 63), Math.Pow(2, 64),
        ];
        await using var store = await StartedAsync(2);
        await UpsertNumbersAsync(store, numbers);

        for (var i = 0; i < numbers.Length; i++)
        {
            var found = await store.ListAsync(Name, Where(new AttributeCondition("n", Number: numbers[i])), 10, "", false, None);
            var point = Assert.Single(found.Points);
            Assert.Equal($"p{i:D3}", point.Id);
            Assert.Equal(numbers[i], (double)point.Payload.Attributes!["n"]!);
            var range = new NumericRange(null, numbers[i], null, numbers[i]);
            Assert.Equal(1, await store.CountAsync(Name, Where(new AttributeCondition("n", Range: range)), None));
            range = new NumericRange(numbers[i], null, Math.BitIncrement(numbers[i]), null);
            Assert.Equal(0, await store.CountAsync(Name, Where(new AttributeCondition("n", Range: range)), None));
        }
        // Zero of either sign is the same number.
        await store.UpsertAsync(Name, [Point("minus", [1, 2], """{"n":-0.0}""")], None);
        Assert.Equal(2, await store.CountAsync(Name, Where(new AttributeCondition("n", Number: 0)), None));
        Assert.Equal(2, await store.CountAsync(Name, Where(new AttributeCondition("n", Number: -0.0)), None));
    }

    [Fact]
    public async Task Numbers_of_any_size_are_restored()
    {
        var random = new Random(5);
        double[] numbers =
        [
            double.MaxValue, double.MinValue, 5e-324, double.Epsilon * 3, 2.2250738585072014e-308, 0.1 + 0.2, Math.BitIncrement(1e15),
            .. Enumerable.Range(0, 100).Select(_ => BitConverter.Int64BitsToDouble(random.NextInt64())).Where(double.IsFinite),
        ];
        await using var store = await StartedAsync(2);
        await UpsertNumbersAsync(store, numbers);
        var page = await store.ListAsync(Name, PointFilter.All, numbers.Length, "", withVectors: false, None);
        Assert.Equal(numbers.Length, page.Points.Count);
        Assert.All(
            page.Points,
            point => AssertSameNumber(numbers[int.Parse(point.Id.AsSpan(1))], (double)point.Payload.Attributes!["n"]!));
    }

    [Fact]
    public async Task Search_applies_threshold_exclusion_and_content_options()
    {
        await using var store = await StartedAsync(2);
        StoredPoint[] points = [Point("x", [2, 0], """{"k":1}"""), Point("d", [1, 1]), Point("y", [0, 3]), Point("-x", [-1, 0])];
        await store.UpsertAsync(Name, points, None);

        var above = await SearchAsync(store, [1, 0], new SearchSpec { ScoreThreshold = 0 });
        Assert.Equal(["x", "d", "y"], above.Select(hit => hit.Point.Id));
        Assert.Equal(4, (await SearchAsync(store, [1, 0], new SearchSpec { ScoreThreshold = -1 })).Count);
        var excluding = await store.SearchAsync(
            Name,
            [new VectorQuery(new float[] { 1, 0 }, "x"), new VectorQuery(new float[] { 0, 1 })],
            new SearchSpec { Limit = 2, WithPayload = false },
            None);
        Assert.Equal(["d", "y"], excluding[0].Select(hit => hit.Point.Id));
        Assert.Equal(["y", "d"], excluding[1].Select(hit => hit.Point.Id));
        Assert.All(
            excluding.SelectMany(hits => hits).Select(hit => hit.Point),
            point => Assert.Equal((true, PointPayload.Empty), (point.Vector.IsEmpty, point.Payload)));

        var full = (await SearchAsync(store, [1, 0], new SearchSpec { Limit = 1, WithVectors = true }))[0].Point;
        Assert.Equal([2, 0], full.Vector.ToArray());
        Assert.Equal(1, (int)full.Payload.Attributes!["k"]!);
    }

    [Fact]
    public async Task Pages_return_each_point_once_during_writes()
    {
        await using var store = await StartedAsync(2);
        var ids = Enumerable.Range(0, 50).Select(i => $"p{i:D2}").ToArray();
        await store.UpsertAsync(Name, [.. ids.Select(id => Point(id, [1, 0]))], None);

        var seen = new List<string>();
        var token = "";
        do
        {
            var page = await store.ListAsync(Name, PointFilter.All, 7, token, withVectors: true, None);
            Assert.InRange(page.Points.Count, 1, 7);
            seen.AddRange(page.Points.Select(point => point.Id));
            token = page.NextPageToken;
            StoredPoint[] written = [Point($"new{seen.Count}", [1, 0]), Point(ids[seen.Count % 50], [0, 1]), Point(ids[0], [0, 1])];
            await store.UpsertAsync(Name, written, None);
        }
        while (token.Length > 0 && seen.Count < 200);

        Assert.Equal(ids, seen.Where(id => id[0] == 'p').Order());
    }

    [Fact]
    public async Task Pages_end_exactly_and_reject_foreign_tokens()
    {
        await using var store = await StartedAsync(2);
        await store.EnsureCollectionAsync(new CollectionSpec("other", 2, null), None);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 4).Select(i => Point($"{i}", [1, 0]))], None);
        await store.UpsertAsync("other", [.. Enumerable.Range(0, 4).Select(i => Point($"{i}", [1, 0]))], None);

        var first = await store.ListAsync(Name, PointFilter.All, 2, "", withVectors: false, None);
        var second = await store.ListAsync(Name, PointFilter.All, 2, first.NextPageToken, withVectors: false, None);

        Assert.Equal((2, 2, ""), (first.Points.Count, second.Points.Count, second.NextPageToken));
        Assert.All(first.Points, point => Assert.True(point.Vector.IsEmpty));
        string[] foreign = ["x", "AAAA", "!!", "0", new string('A', 5000), "\0", "é"];
        foreach (var token in (string[])[.. foreign, first.NextPageToken[1..], first.NextPageToken + "A"])
        {
            var fault = await Assert.ThrowsAsync<Fault>(() => store.ListAsync(Name, PointFilter.All, 2, token, false, None));
            Assert.Equal((FaultKind.InvalidArgument, Reasons.PageTokenInvalid), (fault.Kind, fault.Reason));
        }

        await Assert.ThrowsAsync<Fault>(() => store.ListAsync("other", PointFilter.All, 2, first.NextPageToken, false, None));
    }

    [Fact]
    public async Task Search_agrees_with_a_plain_loop()
    {
        const int Dimension = 33;
        await using var store = await StartedAsync(Dimension);
        var random = new Random(6);
        var points = Enumerable.Range(0, 700).Select(i => Point($"p{i}", Vector())).ToArray();
        await store.UpsertAsync(Name, points, None);
        var queries = Enumerable.Range(0, 9).Select(_ => new VectorQuery(Vector())).ToArray();

        var results = await store.SearchAsync(Name, queries, new SearchSpec { Limit = 20, Exact = true }, None);

        foreach (var (query, hits) in queries.Zip(results))
        {
            var cosines = points.ToDictionary(point => point.Id, point => Cosine(point.Vector.Span, query.Vector.Span));
            Assert.All(hits.Zip(cosines.Values.OrderDescending()), pair => Assert.Equal(pair.Second, pair.First.Score, 1e-5));
            Assert.All(hits, hit => Assert.Equal(hit.Score, cosines[hit.Point.Id], 1e-5));
            Assert.Equal(20, hits.Count);
        }

        float[] Vector() => [.. Enumerable.Range(0, Dimension).Select(_ => (random.NextSingle() * 2) - 1)];
    }
}
