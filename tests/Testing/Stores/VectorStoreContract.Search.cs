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
