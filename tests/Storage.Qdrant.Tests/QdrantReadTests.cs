using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class QdrantReadTests : QdrantTestBase
{
    [Fact]
    public async Task Of_thousands_of_tied_points_the_first_by_id_are_returned_with_content()
    {
        await using var store = await FilledStoreAsync();
        var ids = Enumerable.Range(0, 3000).Select(i => $"p{i:D4}").ToArray();
        new Random(1).Shuffle(ids);
        var tied = ids.Select(id => new StoredPoint(id, new float[] { 1, 1 }, new() { JobId = $"job of {id}" }));
        await store.UpsertAsync(Name, [.. tied, Point("best")], None);

        VectorQuery[] queries = [new(new float[] { 1, 0 }), new(new float[] { 0, -1 }, "best")];
        var hits = await store.SearchAsync(Name, queries, new() { Limit = 4, WithVectors = true }, None);

        Assert.Equal(["best", "p0000", "p0001", "p0002"], hits[0].Select(hit => hit.Point.Id));
        Assert.Equal("job of p0002", hits[0][3].Point.Payload.JobId);
        Assert.Equal([1, 1], hits[0][3].Point.Vector.ToArray(), (a, b) => Math.Abs(a - b) < 1e-6);
        Assert.Equal(["p0000", "p0001", "p0002", "p0003"], hits[1].Select(hit => hit.Point.Id));
    }

    [Fact]
    public async Task Many_queries_are_one_call_with_the_search_parameters()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p"), Point("q", 0, 1)], None);
        QueryBatchPoints? sent = null;
        Troubles.Observer = (_, request) => sent = request as QueryBatchPoints ?? sent;
        var queries = Enumerable.Range(0, 64).Select(i => new VectorQuery(new float[] { i + 1, 0 })).ToList();
        var found = await store.SearchAsync(Name, queries, new() { Exact = true, HnswEf = 77, WithPayload = false }, None);
        Assert.All(found, hits => Assert.Equal(["p", "q"], hits.Select(hit => hit.Point.Id)));
        Assert.Equal(1, Troubles.Calls("QueryBatch"));
        Assert.All(
            sent!.QueryPoints.Select(query => query.Params),
            search => Assert.Equal((true, 77UL, true), (search.Exact, search.HnswEf, search.Quantization.Rescore)));
        Assert.All(sent.QueryPoints, query => Assert.DoesNotContain("job_id", query.WithPayload.Include.Fields));
    }

    [Fact]
    public async Task A_page_ends_by_bytes_and_the_next_one_continues()
    {
        const int Dimension = 2048;
        await using var store = await StoreAsync();
        await store.EnsureCollectionAsync(new("wide", Dimension, null), None);
        var random = new Random(5);
        await store.UpsertAsync("wide", [.. Enumerable.Range(0, 1000).Select(i => VectorStoreContract.Point($"p{i}", Vector()))], None);
        var ids = new List<string>();
        var token = "";
        do
        {
            var page = await store.ListAsync("wide", PointFilter.All, 1000, token, withVectors: true, None);
            Assert.All(page.Points, point => Assert.Equal(Dimension, point.Vector.Length));
            Assert.InRange(page.Points.Sum(PointSize.Of), 1, PointPage.MaxBytes);
            ids.AddRange(page.Points.Select(point => point.Id));
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"p{i}").Order(), ids.Order());

        float[] Vector() => [.. Enumerable.Range(0, Dimension).Select(_ => random.NextSingle())];
    }

    [Fact]
    public async Task Large_contents_are_requested_in_parts_and_small_ones_in_one_call()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 300).Select(i => Point($"p{i}", 1, i / 100f))], None);
        var sizes = new List<int>();
        Troubles.Observer = (_, request) =>
        {
            if (request is QueryBatchPoints batch)
            {
                sizes.Add(batch.QueryPoints.Sum(query => query.WithPayload.Enable ? (int)query.Limit : 0));
            }
            else if (request is GetPoints get)
            {
                sizes.Add(get.Ids.Count);
            }
        };
        VectorQuery[] queries = [new(new float[] { 1, 0 }), new(new float[] { 0, 1 })];

        // Nothing is known about the payloads yet: first the ids, then parts that grow.
        var first = await store.SearchAsync(Name, queries, new() { Limit = 200 }, None);
        Assert.Equal(0, sizes[0]);
        Assert.InRange(sizes[1], 1, 130);
        // A part has each point once.
        Assert.InRange(sizes.Sum(), 300, 400);

        sizes.Clear();
        var second = await store.SearchAsync(Name, queries, new() { Limit = 200 }, None);
        Assert.Equal([402], sizes);
        Assert.Equal(first.Select(Ids), second.Select(Ids));
        Assert.Equal("p0", first[0][0].Point.Id);
        Assert.Equal(["p299", "p298"], first[1].Take(2).Select(hit => hit.Point.Id));

        static List<string> Ids(IReadOnlyList<ScoredStoredPoint> hits) => [.. hits.Select(hit => hit.Point.Id)];
    }

    [Fact]
    public async Task A_cancelled_read_is_cancelled_in_Qdrant()
    {
        const int Reads = 100;
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p")], None);
        using var started = new CountdownEvent(Reads);
        using var ended = new CountdownEvent(Reads);
        Troubles.Observer = (method, _) =>
        {
            if (method.EndsWith("Points/Count", StringComparison.Ordinal))
            {
                started.Signal();
            }
        };
        Troubles.StallEnded = () => ended.Signal();
        Troubles.Add(new(TroubleKind.Stall) { Method = "Points/Count" });
        using var gone = new CancellationTokenSource();
        var reads = Enumerable.Range(0, Reads).Select(_ => store.CountAsync(Name, PointFilter.All, gone.Token)).ToList();
        Assert.True(await Task.Run(() => started.Wait(Limit)), "The reads have not started.");
        await gone.CancelAsync();
        foreach (var read in reads)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read.WaitAsync(Limit));
        }
        Assert.True(await Task.Run(() => ended.Wait(Limit)), "Qdrant was not informed.");
        Assert.NotNull(await store.GetAsync(Name, "p", None));
    }

    [Fact]
    public async Task Concurrent_deletions_count_each_point_once()
    {
        await using var store = await FilledStoreAsync();
        var ids = Enumerable.Range(0, 2500).Select(i => $"p{i}").ToList();
        await store.UpsertAsync(Name, [.. ids.Select(id => Point(id))], None);
        var counts = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => store.DeleteAsync(Name, ids, None)));
        Assert.Equal(2500, counts.Sum());
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Scores_are_cosines_for_any_norm()
    {
        await using var store = await FilledStoreAsync();
        // Qdrant itself would leave the first unchanged and overflow on the second.
        await store.UpsertAsync(Name, [Point("short", 3e-30f, 4e-30f), Point("long", -4e25f, 3e25f)], None);
        var hits = (await store.SearchAsync(Name, [new(new float[] { 1e-30f, 0 })], new(), None))[0];
        Assert.Equal(["short", "long"], hits.Select(hit => hit.Point.Id));
        Assert.Equal(0.6, hits[0].Score, 1e-6);
        Assert.Equal(-0.8, hits[1].Score, 1e-6);
    }
}
