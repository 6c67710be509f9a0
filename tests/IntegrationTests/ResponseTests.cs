using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Storage;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Grpc.Net.Client;

namespace Embeddings.IntegrationTests;

/// <summary>Limits on responses, deadlines of reads, and deletions over all collections, with each store.</summary>
public sealed class ResponseTests
{
    private const string Collection = "c";
    private const int LargePoints = 100;
    private const int AttributeBytes = 60_000;

    public static TheoryData<string> Stores => StartedStore.All;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_search_response_is_limited_in_bytes(string store)
    {
        await using var stores = await StartAsync(store, "--Server:MaxResponseBytes=4194304");
        var vectors = stores.Server.Api.Vectors;
        await FillAsync(vectors);
        var request = new SearchVectorsRequest { Collection = Collection, Limit = 1000 };
        request.Queries.AddRange(Enumerable.Range(0, 40).Select(i => new SearchQuery { Vector = new() { Values = { 1, i } } }));

        var error = await vectors.SearchVectorsAsync(request).FailsAsync(StatusCode.ResourceExhausted, "RESPONSE_TOO_LARGE");
        Assert.Null(error.Detail<RetryInfo>());
        Assert.Contains("at most 4194304 bytes (Server:MaxResponseBytes)", error.Status.Detail);
        Assert.Contains("most accept 4194304 bytes by default", error.Status.Detail);
        await vectors.SearchByMediaStoreIdAsync(new() { Collection = Collection, MediaStoreId = "m", Query = request.Queries[0], Limit = 100 })
            .FailsAsync(StatusCode.ResourceExhausted, "RESPONSE_TOO_LARGE");

        request.WithPayload = false;
        Assert.All((await vectors.SearchVectorsAsync(request).Bound()).Results, result => Assert.Equal(LargePoints, result.Points.Count));
        request.WithPayload = true;
        request.Limit = 1;
        var response = await vectors.SearchVectorsAsync(request).Bound();
        Assert.All(response.Results, result => Assert.Equal(AttributeBytes, Assert.Single(result.Points).Point.Payload.Attributes.Fields["text"].StringValue.Length));
        Assert.InRange(response.CalculateSize(), 40 * AttributeBytes, 4 << 20);
        await Bounds.UntilAsync(() => stores.Server.Get<ResponseBudget>().Held == 0);
    }

    [Fact]
    public async Task A_refused_response_takes_little_memory()
    {
        const long MaxGrowth = 400L << 20;
        using var folder = new TempFolder();
        var (process, api) = await ServerProcess.StartAsync(folder.Path, "--Logging:LogLevel:Microsoft.AspNetCore=Warning");
        using (process)
        using (api)
        {
            for (var part = 0; part < 10; part++)
            {
                var points = Enumerable.Range(0, 100).Select(i => Items.Point($"p{part}-{i}", [1, part, i], Payload(AttributeBytes)));
                await api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { points } }).Bound();
            }
            var request = new SearchVectorsRequest { Collection = Collection, Limit = 1000 };
            request.Queries.AddRange(Enumerable.Range(0, 40).Select(i => new SearchQuery { Vector = new() { Values = { 1, i, 2 } } }));
            var before = process.ResidentBytes;
            for (var i = 0; i < 5; i++)
            {
                await api.Vectors.SearchVectorsAsync(request).FailsAsync(StatusCode.ResourceExhausted, "RESPONSE_TOO_LARGE");
            }
            // Without a limit, one response has 2.4 GB.
            Assert.InRange(process.ResidentBytes, 1, before + MaxGrowth);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Pages_fit_clients_with_default_limits_and_contain_every_point_once(string store)
    {
        await using var stores = await StartAsync(store);
        await FillAsync(stores.Server.Api.Vectors);
        // Unlike the other clients of the tests, with the limit of 4 MiB.
        using var channel = GrpcChannel.ForAddress(stores.Server.Address);
        var vectors = new VectorStoreService.VectorStoreServiceClient(channel);
        var ids = new List<string>();
        var request = new ListVectorsRequest { Collection = Collection, PageSize = 1000, WithVectors = true };
        var pages = 0;
        do
        {
            var page = await vectors.ListVectorsAsync(request).Bound();
            Assert.InRange(page.CalculateSize(), 1, 4 << 20);
            ids.AddRange(page.Points.Select(point => point.PointId));
            request.PageToken = page.NextPageToken;
            pages++;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(Enumerable.Range(0, LargePoints).Select(i => $"p{i:D3}"), ids.Order(StringComparer.Ordinal));
        Assert.InRange(pages, 2, 3);
        await Bounds.UntilAsync(() => stores.Server.Get<ResponseBudget>().Held == 0);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_hundred_counts_with_deadlines_end_and_other_callers_are_served(string store)
    {
        await using var stores = await StartAsync(store);
        var vectors = stores.Server.Api.Vectors;
        foreach (var part in Enumerable.Range(0, 10))
        {
            var points = Enumerable.Range(0, 1000).Select(i => Items.Point($"p{part}-{i}", [1, i], Payload(100)));
            await vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { points } }).Bound();
        }
        var filter = new Filter { Attributes = { new V1.AttributeCondition { Key = "number", Range = new() { Gte = 1 } } } };
        var counts = Enumerable.Range(0, 100)
            .Select(_ => vectors.CountVectorsAsync(new() { Collection = Collection, Filter = filter }, deadline: DateTime.UtcNow.AddMilliseconds(30)).Bound())
            .ToList();
        Assert.Equal("p7-7", (await vectors.GetVectorAsync(new() { Collection = Collection, PointId = "p7-7" }).Bound()).Point.PointId);
        foreach (var count in counts)
        {
            try
            {
                Assert.Equal(10_000, (await count).Count);
            }
            catch (RpcException error)
            {
                Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
            }
        }
        Assert.Equal(10_000, (await vectors.CountVectorsAsync(new() { Collection = Collection, Filter = filter }).Bound()).Count);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task DeleteByJobId_ignores_collections_that_are_deleted_during_the_call(string store)
    {
        const int Rounds = 20;
        const int Points = 3;
        await using var stores = await StartAsync(store);
        var vectors = stores.Server.Api.Vectors;
        using var done = new CancellationTokenSource();
        var churn = Enumerable.Range(0, 3).Select(worker => Task.Run(async () =>
        {
            var deleted = 0;
            // At least some are deleted; the first names of a listing come before those of the job's collections.
            while (!done.IsCancellationRequested || deleted == 0)
            {
                var collection = $"{(char)('a' + (deleted % 26))}-{worker}";
                await vectors.UpsertVectorsAsync(new() { Collection = collection, Points = { Items.Point("p", [1, 2], new() { JobId = "other" }) } }).Bound();
                await vectors.DeleteCollectionAsync(new() { Collection = collection }).Bound();
                deleted++;
            }
        })).ToList();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var collection in (string[])["a", "m", "z"])
            {
                var points = Enumerable.Range(0, Points).Select(i => Items.Point($"p{i}", [1, i], new() { JobId = "job" }));
                await vectors.UpsertVectorsAsync(new() { Collection = collection, Points = { points } }).Bound();
            }
            Assert.Equal(3 * Points, (await vectors.DeleteByJobIdAsync(new() { JobId = "job" }).Bound()).DeletedCount);
        }
        await done.CancelAsync();
        await Task.WhenAll(churn);
    }

    private static async Task FillAsync(VectorStoreService.VectorStoreServiceClient vectors)
    {
        var points = Enumerable.Range(0, LargePoints).Select(i => Items.Point($"p{i:D3}", [1, i], Payload(AttributeBytes)));
        await vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { points } }).Bound();
    }

    private static Payload Payload(int bytes) => new()
    {
        MediaStoreId = "m",
        Attributes = new Struct { Fields = { ["text"] = Value.ForString(new string('x', bytes)), ["number"] = Value.ForNumber(1) } },
    };

    private static Task<StartedStore> StartAsync(string store, params string[] args) => StartedStore.StartAsync(store, args: args);
}
