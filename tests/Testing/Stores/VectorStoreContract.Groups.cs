using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

public abstract partial class VectorStoreContract
{
    private static readonly GroupSpec ByMedia = new(GroupField.MediaStoreId);
    private static readonly GroupSpec ByTag = new(GroupField.Attribute) { Path = ["tag"] };

    /// <summary>The number of points for searches that read many; a store with small pages has fewer.</summary>
    private protected virtual int ManyPoints => 2500;

    [Fact]
    public async Task Pages_of_a_search_are_its_result()
    {
        await using var store = await StartedAsync(4);
        var random = new Random(22);
        // Many ties, also between pages.
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 400).Select(i => Point($"p{random.Next(1000)}-{i}", Direction(random)))], None);
        float[] query = [1, 0.5f, 0.25f, 0];
        foreach (var spec in (SearchSpec[])[new() { Exact = true }, new() { Exact = true, WithPayload = false }, new()])
        {
            var all = await SearchAsync(store, query, spec with { Limit = 1000 });
            Assert.Equal(400, all.Count);
            Assert.Equal(all.OrderByDescending(hit => hit.Score).ThenBy(hit => hit.Point.Id, StringComparer.Ordinal), all);
            foreach (var (offset, limit) in ((int, int)[])[(0, 1), (1, 1), (37, 100), (399, 10), (400, 10), (10_000, 1000)])
            {
                var page = await SearchAsync(store, query, spec with { Offset = offset, Limit = limit });
                Assert.Equal(Seen(all.Skip(offset).Take(limit)), Seen(page));
            }
        }

        static float[] Direction(Random random) => [random.Next(3), random.Next(3), random.Next(2), 1];
    }

    [Fact]
    public async Task Any_number_of_points_is_excluded()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 9).Select(i => Point($"p{i}", [1, i]))], None);
        var excluded = new HashSet<string>(StringComparer.Ordinal) { "p0", "p1", "p7", "other" };
        var queries = new[] { new VectorQuery(new float[] { 1, 0 }, excluded), new VectorQuery(new float[] { 1, 0 }) };
        var found = await store.SearchAsync(Name, queries, new() { Limit = 3 }, None);
        Assert.Equal(["p2", "p3", "p4"], found[0].Select(hit => hit.Point.Id));
        Assert.Equal(["p0", "p1", "p2"], found[1].Select(hit => hit.Point.Id));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(null)]
    public async Task A_threshold_is_compared_with_the_score_that_is_returned(bool? exact)
    {
        const int Dimension = 24;
        await using var store = await StartedAsync(Dimension);
        var random = new Random(22);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 300).Select(i => Point($"p{i}", Vector(0.01f)))], None);
        var query = Vector(0.01f);
        var spec = new SearchSpec { Limit = 1000, Exact = exact };
        var all = await SearchAsync(store, query, spec);
        foreach (var border in all.Select(hit => hit.Score).Where((_, i) => i % 23 == 0))
        {
            foreach (var threshold in (float[])[MathF.BitDecrement(border), border, MathF.BitIncrement(border)])
            {
                foreach (var limit in (int[])[1000, 5])
                {
                    foreach (var withPayload in (bool[])[true, false])
                    {
                        var found = await SearchAsync(
                            store, query, spec with { ScoreThreshold = threshold, Limit = limit, WithPayload = withPayload });
                        Assert.Equal(Seen(all.Where(hit => hit.Score >= threshold).Take(limit)), Seen(found));
                    }
                }
            }
        }

        // Close to each other, so that many scores are neighbors.
        float[] Vector(float noise) => [.. Enumerable.Range(0, Dimension).Select(i => i + 1 + (noise * random.NextSingle()))];
    }

    [Fact]
    public async Task Groups_have_their_best_points_and_points_without_a_key_are_groups_of_their_own()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(
            Name,
            [
                Of("a1", 0, "m1", """{"tag":"x","camera":{"lens":"w"}}"""), Of("a2", 1, "m1", """{"tag":1,"camera":{"lens":"w"}}"""),
                Of("a3", 2, "", """{"tag":"1","camera":"w"}"""), Of("a4", 3, "", """{"tag":1.0}"""),
                Of("a5", 4, "m2", """{"tag":true}"""), Of("a6", 5, "m1", """{"tag":["x"]}"""), Of("a7", 6, "m2", """{"tag":["x"]}"""),
                Of("a8", 7, "m2", """{"tag":""}"""), Of("a9", 8, "m3"), Of("b1", 9, "m2", """{"tag":"x"}"""),
                Of("b2", 10, "", """{"tag":""}"""), Of("b3", 11, "m3", """{"tag":true,"camera":{"lens":null}}"""),
            ],
            None);

        Assert.Equal(["a1", "a3", "a4", "a5", "a9", "b2"], await Ids(ByMedia));
        Assert.Equal(["a1", "a2", "a3", "a4", "a5", "a7", "a9", "b2", "b3"], await Ids(ByMedia with { Size = 2 }));
        Assert.Equal(["a4", "a5", "a7"], await Ids(ByMedia with { Size = 2 }, offset: 2, limit: 2));
        Assert.Equal(["a1", "a2", "a3", "a5", "a6", "a7", "a8", "a9"], await Ids(ByTag));
        // Only texts that are not empty are names.
        Assert.Equal(
            ["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b2", "b3"], await Ids(ByTag with { NamesOnly = true }));
        Assert.Equal(
            ["a1", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "b1", "b2", "b3"],
            await Ids(ByTag with { Path = ["camera", "lens"] }));
        Assert.Equal(["a1", "a2", "a3", "a4"], await Ids(new GroupSpec(GroupField.JobId), limit: 4));

        async Task<List<string>> Ids(GroupSpec by, int offset = 0, int limit = 100)
        {
            var spec = new SearchSpec { GroupBy = by, Offset = offset, Limit = limit, Exact = true, WithPayload = false };
            return [.. (await SearchAsync(store, [1, 0], spec)).Select(hit => hit.Point.Id)];
        }

        static StoredPoint Of(string id, int angle, string media, string? attributes = null)
        {
            var point = Point(id, [10, angle], attributes);
            return point with { Payload = point.Payload with { MediaStoreId = media } };
        }
    }

    [Fact]
    public async Task Groups_behind_a_group_of_thousands_of_points_are_found()
    {
        await using var store = await StartedAsync(8);
        var random = new Random(23);
        var points = Enumerable.Range(0, ManyPoints).Select(i => RandomMember(random, i, isBig: random.Next(10) > 0)).ToList();
        await store.UpsertAsync(Name, points, None);
        var query = RandomDirection(random, near: true);
        var all = new List<ScoredStoredPoint>();
        for (var offset = 0; offset < points.Count; offset += 1000)
        {
            all.AddRange(await SearchAsync(store, query, new() { Exact = true, Limit = 1000, Offset = offset }));
        }
        Assert.Equal(points.Count, all.Count);

        foreach (var by in (GroupSpec[])[ByMedia, ByTag, new(GroupField.JobId), ByTag with { Path = ["nested", "tag"] }])
        {
            foreach (var size in (int[])[1, 3])
            {
                foreach (var (offset, limit) in ((int, int)[])[(0, 5), (3, 40), (0, 1000), (10_000, 10)])
                {
                    foreach (var filter in (PointFilter[])[PointFilter.All, new() { FaceIndex = 1 }])
                    {
                        var spec = new SearchSpec
                        {
                            Exact = true,
                            GroupBy = by with { Size = size },
                            Offset = offset,
                            Limit = limit,
                            Filter = filter,
                        };
                        var matching = all.Where(hit => filter.IsEmpty || hit.Point.Payload.FaceIndex == 1);
                        Assert.Equal(Seen(Grouped(matching, spec)), Seen(await SearchAsync(store, query, spec)));
                    }
                }
            }
        }
    }

    /// <summary>Groups all points of a search in the plainest way.</summary>
    internal static IEnumerable<ScoredStoredPoint> Grouped(IEnumerable<ScoredStoredPoint> all, SearchSpec spec) => all
        .GroupBy(hit => (Key: spec.GroupBy!.KeyOf(hit.Point.Payload), Own: spec.GroupBy!.KeyOf(hit.Point.Payload) is null ? hit.Point.Id : ""))
        .Skip(spec.Offset)
        .Take(spec.Limit)
        .SelectMany(group => group.Take(spec.GroupBy!.Size))
        .OrderByDescending(hit => hit.Score)
        .ThenBy(hit => hit.Point.Id, StringComparer.Ordinal);

    internal static List<(string Id, float Score)> Seen(IEnumerable<ScoredStoredPoint> hits) =>
        [.. hits.Select(hit => (hit.Point.Id, hit.Score))];

    /// <summary>A point of a large group near the query, or of one of many small ones.</summary>
    private static StoredPoint RandomMember(Random random, int i, bool isBig)
    {
        var group = isBig ? "big" : random.Next(4) == 0 ? "" : $"g{random.Next(60)}";
        JsonNode? tag = random.Next(8) switch
        {
            0 when !isBig => random.Next(5),
            1 when !isBig => random.Next(2) == 0,
            2 when !isBig => null,
            _ => group,
        };
        return new($"p{random.Next(100)}-{i}", RandomDirection(random, isBig), new()
        {
            JobId = group,
            MediaStoreId = group,
            FaceIndex = random.Next(3),
            Attributes = new() { ["tag"] = tag, ["nested"] = new JsonObject { ["tag"] = tag?.DeepClone() } },
        });
    }

    // On a coarse grid, so that there are equal scores.
    private static float[] RandomDirection(Random random, bool near) =>
        [.. Enumerable.Range(0, 8).Select(i => (near ? 10 + i : i % 2) + (random.Next(5) / 2f) + 0.5f)];
}
