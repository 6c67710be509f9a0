using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>Limits on responses, and their consistency while points are written.</summary>
public abstract partial class VectorStoreContract
{
    // The largest attributes that the server accepts.
    private const int LargeAttributes = 60_000;

    [Fact]
    public async Task Pages_end_by_bytes_and_continue_exactly()
    {
        await using var store = await StartedAsync(2);
        var ids = Enumerable.Range(0, 200).Select(i => $"p{i:D3}").ToArray();
        foreach (var chunk in ids.Chunk(40))
        {
            await store.UpsertAsync(Name, [.. chunk.Select(id => Large(id, LargeAttributes))], None);
        }
        // Larger than a page: returned alone.
        await store.UpsertAsync(Name, [Large("huge", PointPage.MaxBytes + 1)], None);

        var pages = new List<PointPage>();
        do
        {
            pages.Add(await store.ListAsync(Name, PointFilter.All, 1000, pages is [.., var last] ? last.NextPageToken : "", true, None));
        }
        while (pages[^1].NextPageToken.Length > 0 && pages.Count < 100);

        Assert.Equal(ids.Append("huge").Order(), pages.SelectMany(page => page.Points).Select(point => point.Id).Order());
        Assert.All(pages, page => Assert.True(
            page.Points.Sum(PointSize.Of) <= PointPage.MaxBytes || page.Points.Count == 1, $"{page.Points.Count} points"));
        // The pages are full: only the last one, and those next to the huge point, end earlier.
        Assert.InRange(pages.Count(page => page.Points.Sum(PointSize.Of) < PointPage.MaxBytes - (2 * LargeAttributes)), 0, 3);
    }

    [Fact]
    public async Task A_search_response_beyond_its_limit_is_refused_while_it_is_made()
    {
        const int Limit = 1 << 20;
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 40).Select(i => Large($"p{i}", LargeAttributes))], None);
        var budget = new ResponseBudget(Limit, 2 * Limit);
        var queries = Enumerable.Range(0, 3).Select(i => new VectorQuery(new float[] { 1, i })).ToArray();

        using (var lease = budget.Lease())
        {
            var found = await store.SearchAsync(Name, queries, new() { Limit = 4, Lease = lease }, None);
            Assert.Equal(12, found.Sum(hits => hits.Count));
            Assert.InRange(budget.Held, found.Sum(hits => hits.Sum(hit => PointSize.Of(hit.Point))), Limit);
        }

        Assert.Equal(0, budget.Held);
        using (var lease = budget.Lease())
        {
            var fault = await Assert.ThrowsAsync<Fault>(
                () => store.SearchAsync(Name, queries, new() { Limit = 40, Lease = lease }, None));
            Assert.Equal((FaultKind.ResourceExhausted, Reasons.ResponseTooLarge, null), (fault.Kind, fault.Reason, fault.RetryAfter));
            Assert.Contains($"{Limit} bytes (Server:MaxResponseBytes)", fault.Message, StringComparison.Ordinal);
            Assert.Contains("18 points", fault.Message, StringComparison.Ordinal);
            Assert.InRange(budget.Held, 1, Limit);
        }

        Assert.Equal(0, budget.Held);
    }

    [Fact]
    public async Task Vectors_beyond_the_limit_are_refused_before_they_are_read()
    {
        const int Dimension = 1024;
        await using var store = await StartedAsync(Dimension);
        await store.UpsertAsync(
            Name, [.. Enumerable.Range(0, 100).Select(i => Point($"p{i}", [.. Enumerable.Range(1, Dimension).Select(j => (float)(i + j))]))], None);
        var budget = new ResponseBudget(1 << 20, 1 << 20);
        using var lease = budget.Lease();
        var queries = Enumerable.Repeat(new VectorQuery(Enumerable.Repeat(1f, Dimension).ToArray()), 64).ToArray();
        var spec = new SearchSpec { Limit = 1000, Lease = lease, WithVectors = true, WithPayload = false };

        await AssertFaultAsync(FaultKind.ResourceExhausted, Reasons.ResponseTooLarge, () => store.SearchAsync(Name, queries, spec, None));

        Assert.Equal(0, budget.Held);
        var found = await store.SearchAsync(Name, queries, spec with { WithVectors = false }, None);
        Assert.All(found, hits => Assert.Equal(100, hits.Count));
    }

    [Fact]
    public async Task Responses_in_flight_have_a_common_limit()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 10).Select(i => Large($"p{i}", LargeAttributes))], None);
        var budget = new ResponseBudget(1 << 20, 1 << 20);
        VectorQuery[] queries = [new(new float[] { 1, 0 })];
        var first = budget.Lease();
        await store.SearchAsync(Name, queries, new() { Lease = first }, None);

        using var second = budget.Lease();
        var fault = await Assert.ThrowsAsync<Fault>(() => store.SearchAsync(Name, queries, new() { Lease = second }, None));
        Assert.Equal((FaultKind.ResourceExhausted, Reasons.QueueFull), (fault.Kind, fault.Reason));
        Assert.NotNull(fault.RetryAfter);

        first.Dispose();
        second.Dispose();
        Assert.Equal(0, budget.Held);
        using var third = budget.Lease();
        Assert.Equal(10, (await store.SearchAsync(Name, queries, new() { Lease = third }, None))[0].Count);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(8)]
    public async Task Score_vector_and_payload_are_of_one_version_during_writes(int directions)
    {
        const int Dimension = 24;
        var searches = OverlappingSearches;
        await using var store = await StartedAsync(Dimension);
        await WriteAsync([.. Enumerable.Range(0, 40)], new Random(0));
        using var done = new CancellationTokenSource();
        var writers = Enumerable.Range(1, 2).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            while (!done.IsCancellationRequested)
            {
                await WriteAsync([.. Enumerable.Range(0, 4).Select(_ => random.Next(40))], random);
            }
        })).ToList();

        var checkedHits = 0;
        try
        {
            await Task.WhenAll(Enumerable.Range(3, 3).Select(seed => Task.Run(async () =>
            {
                var random = new Random(seed);
                for (var i = 0; i < searches / 3; i++)
                {
                    var query = Unit(random.Next());
                    var spec = new SearchSpec { Limit = 10, WithVectors = i % 2 == 0 };
                    var hits = await SearchAsync(store, query, spec);
                    foreach (var hit in hits)
                    {
                        var version = Unit((int)hit.Point.Payload.Attributes!["seed"]!);
                        Assert.Equal(Cosine(query, version), hit.Score, 1e-6);
                        if (spec.WithVectors)
                        {
                            Assert.Equal(Cosine(query, hit.Point.Vector.Span), hit.Score, 1e-6);
                        }
                        Interlocked.Increment(ref checkedHits);
                    }
                    Assert.Equal(
                        hits.Select(hit => hit.Point.Id),
                        hits.OrderByDescending(hit => hit.Score).ThenBy(hit => hit.Point.Id, StringComparer.Ordinal).Select(hit => hit.Point.Id));
                }
            })));
        }
        finally
        {
            await done.CancelAsync();
            await Task.WhenAll(writers);
        }
        Assert.InRange(checkedHits, searches * 9, searches * 10);

        Task WriteAsync(int[] points, Random random) => store.UpsertAsync(
            Name,
            [
                .. points.Select(i =>
                {
                    var seed = random.Next(directions);
                    return Point($"p{i}", Unit(seed), $$"""{"seed":{{seed}}}""");
                }),
            ],
            None);

        float[] Unit(int seed)
        {
            var random = new Random(seed);
            var values = Enumerable.Range(0, Dimension).Select(_ => random.NextDouble() - 0.5).ToArray();
            var norm = Math.Sqrt(values.Sum(value => value * value));
            return [.. values.Select(value => (float)(value / norm))];
        }
    }

    [Fact]
    public async Task Hundred_reads_whose_callers_have_gone_end_cancelled()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 500).Select(i => Point($"p{i}", [1, i], $$"""{"i":{{i}}}"""))], None);
        var reads = new List<Task>();
        for (var i = 0; i < 100; i++)
        {
            using var gone = new CancellationTokenSource();
            reads.Add(store.CountAsync(Name, Where(new AttributeCondition("i", Number: i)), gone.Token));
            await gone.CancelAsync();
        }

        // A read may have ended before it was cancelled; none may end in another way.
        await Task.WhenAll(reads.Select(read => read.ContinueWith(_ => { }, TaskScheduler.Default)));
        Assert.All(reads, read => Assert.False(read.IsFaulted, $"{read.Exception}"));
        Assert.NotNull(await store.GetAsync(Name, "p7", None));
        Assert.Equal(1, await store.CountAsync(Name, Where(new AttributeCondition("i", Number: 7)), None));
    }

    /// <summary>The number of searches that overlap writes.</summary>
    private protected virtual int OverlappingSearches => 600;

    private static StoredPoint Large(string id, int bytes) =>
        new(id, new float[] { 1, 2 }, new() { Attributes = new JsonObject { ["text"] = new string('x', bytes) } });
}
