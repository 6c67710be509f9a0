using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class LargeOffsetTests : IDisposable
{
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Queries_whose_hits_take_several_passes_have_the_results_of_single_queries()
    {
        const int Count = 12_000;
        await using var store = await EmbeddedStores.StartAsync(_directory.Path);
        await store.EnsureCollectionAsync(new("c", 3, null), default);
        var random = new Random(9);
        await store.UpsertAsync(
            "c",
            [.. Enumerable.Range(0, Count).Select(i => VectorStoreContract.Point($"p{i}", Vector()) with { Payload = new() { JobId = $"j{i % 11_500}" } })],
            default);
        VectorQuery[] queries = [.. Enumerable.Range(0, 40).Select(_ => new VectorQuery(Vector()))];
        foreach (var by in (GroupSpec?[])[null, new(GroupField.JobId)])
        {
            var spec = new SearchSpec { Limit = 1000, Offset = 10_000, WithPayload = false, GroupBy = by };
            var together = await store.SearchAsync("c", queries, spec, default);
            Assert.All(together, found => Assert.Equal(1000, found.Count));
            foreach (var i in (int[])[0, 11, 12, 39])
            {
                var alone = (await store.SearchAsync("c", [queries[i]], spec, default))[0];
                Assert.Equal(VectorStoreContract.Seen(alone), VectorStoreContract.Seen(together[i]));
            }
        }

        float[] Vector() => [random.NextSingle() - 0.5f, random.NextSingle() - 0.5f, random.NextSingle() - 0.5f];
    }
}
