using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Security;
using Embeddings.V1;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>The limits of callers.</summary>
public sealed class LimitTests
{
    private const string Collection = "c";

    public static TheoryData<string> Stores => StartedStore.All;

    [Fact]
    public async Task Too_many_calls_at_a_time_fail_and_other_callers_are_not_affected()
    {
        var (server, _) = await StartAsync(new(ConcurrentStreams: 2));
        await using (server)
        {
            using var first = server.Api.Embedding.StreamEmbed(NamedCallers.As("limited"));
            using var second = server.Api.Embedding.StreamEmbed(NamedCallers.As("limited"));
            foreach (var stream in (IEnumerable<AsyncDuplexStreamingCall<StreamEmbedRequest, StreamEmbedResponse>>)[first, second])
            {
                await stream.RequestStream.WriteAsync(Items.EmbedFace("a", TestImages.Crop(1))).Bound();
                await stream.ResponseStream.TakeAsync(1);
            }
            var error = await CountAsync(server, "limited").FailsAsync(StatusCode.ResourceExhausted, "RATE_LIMITED");
            Assert.NotNull(error.Detail<RetryInfo>());
            Assert.Equal(("2", "ConcurrentStreams"), (Value(error, "limit"), Value(error, "setting")));
            await CountAsync(server, "other").FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");

            await first.RequestStream.CompleteAsync().Bound();
            await first.ResponseStream.DrainAsync();
            await Bounds.UntilAsync(() => !IsLimited(server));
        }
    }

    [Fact]
    public async Task Too_many_items_fail_with_a_delay_and_succeed_after_it()
    {
        var (server, _) = await StartAsync(new(ItemsPerSecond: 10));
        await using (server)
        {
            await UpsertAsync(server, "limited", 10).Bound();
            var error = await UpsertAsync(server, "limited", 10).FailsAsync(StatusCode.ResourceExhausted, "RATE_LIMITED");
            Assert.Equal(("10", "ItemsPerSecond"), (Value(error, "limit"), Value(error, "setting")));
            Assert.InRange(error.Detail<RetryInfo>()!.RetryDelay.ToTimeSpan().TotalSeconds, 0.05, 2);
            await UpsertAsync(server, "other", 1000).Bound();

            await Bounds.UntilAsync(() => !IsLimited(server));
            var tooMany = await UpsertAsync(server, "limited", 11).FailsAsync(StatusCode.ResourceExhausted, "RATE_LIMITED");
            Assert.Null(tooMany.Detail<RetryInfo>());
        }
    }

    [Fact]
    public async Task Too_many_bytes_fail()
    {
        var (server, _) = await StartAsync(new(BytesPerSecond: 1000), "--Server:MaxMessageBytes=65536", "--Imaging:MaxEncodedBytes=60000");
        await using (server)
        {
            // A burst of one message of the largest size.
            await UpsertAsync(server, "limited", 1, dimension: 12_000).Bound();
            var error = await UpsertAsync(server, "limited", 1, dimension: 12_000).FailsAsync(StatusCode.ResourceExhausted, "RATE_LIMITED");
            Assert.Equal("BytesPerSecond", Value(error, "setting"));
            Assert.InRange(error.Detail<RetryInfo>()!.RetryDelay.ToTimeSpan().TotalSeconds, 10, 100);
            await UpsertAsync(server, "other", 1, dimension: 12_000).Bound();
        }
    }

    [Fact]
    public async Task A_stream_is_read_more_slowly_and_no_item_fails()
    {
        var (server, _) = await StartAsync(new(ItemsPerSecond: 50));
        await using (server)
        {
            using var waits = new Counter(server, "embeddings.limit.waits", ("limit", "ItemsPerSecond"));
            var upserts = Enumerable.Range(0, 70).Select(i => Items.Upsert(Collection, $"p{i}", [1]));
            var answers = await server.Api.Vectors.StreamUpsertVectors(NamedCallers.As("limited")).ExchangeAsync(upserts);
            Assert.All(answers, answer => Assert.Equal(StreamUpsertVectorsResponse.ResultOneofCase.Ack, answer.ResultCase));
            Assert.InRange(waits.Sum, 1, 70);
        }
    }

    [Fact]
    public async Task A_stream_that_waits_ends_with_the_server()
    {
        var (server, _) = await StartAsync(new(ItemsPerSecond: 0.001));
        await using (server)
        {
            using var stream = server.Api.Vectors.StreamUpsertVectors(NamedCallers.As("limited"));
            await stream.RequestStream.WriteAsync(Items.Upsert(Collection, "a", [1])).Bound();
            await stream.ResponseStream.TakeAsync(1);
            await stream.RequestStream.WriteAsync(Items.Upsert(Collection, "b", [1])).Bound();
            var rest = stream.ResponseStream.DrainAsync();
            await server.StopAsync();
            var error = await Assert.ThrowsAsync<RpcException>(() => rest);
            // INTERNAL if the connection ends before the status has been read.
            Assert.Contains(error.StatusCode, (StatusCode[])[StatusCode.Unavailable, StatusCode.Internal]);
        }
    }

    [Fact]
    public async Task New_limits_apply_to_the_next_call()
    {
        var (server, callers) = await StartAsync(new(ItemsPerSecond: 0.001));
        await using (server)
        {
            await UpsertAsync(server, "limited", 1).Bound();
            await UpsertAsync(server, "limited", 1).FailsAsync(StatusCode.ResourceExhausted, "RATE_LIMITED");
            callers.Replace(NamedCallers.Limited("limited", new(ItemsPerSecond: 1000)));
            await UpsertAsync(server, "limited", 500).Bound();
            callers.Replace(NamedCallers.Limited("limited", CallerLimits.None));
            await UpsertAsync(server, "limited", 5000).Bound();
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_caller_stores_no_more_points_than_its_limit(string store)
    {
        var callers = new NamedCallers(
            NamedCallers.Limited("limited", new(Points: 20), "own-*"), NamedCallers.Limited("other", CallerLimits.None));
        await using var stores = await StartedStore.StartAsync(store, callers.Add);
        var server = stores.Server;
        await UpsertAsync(server, "other", 100, collection: "others").Bound();
        await UpsertAsync(server, "limited", 15, collection: "own-1").Bound();
        var error = await UpsertAsync(server, "limited", 6, collection: "own-2").FailsAsync(StatusCode.ResourceExhausted, "POINT_LIMIT_REACHED");
        Assert.Equal("20", Value(error, "limit"));
        Assert.Null(error.Detail<RetryInfo>());

        // An item of a stream fails alone.
        var upserts = Enumerable.Range(0, 8).Select(i => Items.Upsert("own-2", $"p{i}", [1]));
        var answers = await server.Api.Vectors.StreamUpsertVectors(NamedCallers.As("limited")).ExchangeAsync(upserts);
        Assert.Equal(5, answers.Count(answer => answer.ResultCase == StreamUpsertVectorsResponse.ResultOneofCase.Ack));
        Assert.All(
            answers.Where(answer => answer.ResultCase == StreamUpsertVectorsResponse.ResultOneofCase.Error),
            answer => Assert.Equal("POINT_LIMIT_REACHED", answer.Error.Reason));

        // What is deleted makes room.
        await server.Api.Vectors.DeleteCollectionAsync(new() { Collection = "own-1" }, NamedCallers.As("limited")).Bound();
        await Bounds.UntilAsync(() => TryUpsert(server));
    }

    private static async Task<(TestServer Server, NamedCallers Callers)> StartAsync(CallerLimits limits, params string[] args)
    {
        var callers = new NamedCallers(NamedCallers.Limited("limited", limits), NamedCallers.Limited("other", CallerLimits.None));
        return (await TestServer.StartWithAsync(callers.Add, args), callers);
    }

    private static AsyncUnaryCall<UpsertVectorsResponse> UpsertAsync(
        TestServer server, string caller, int points, int dimension = 1, string? collection = null) =>
        server.Api.Vectors.UpsertVectorsAsync(
            new()
            {
                Collection = collection ?? $"{Collection}-{dimension}",
                Points = { Enumerable.Range(0, points).Select(i => Items.Point($"{i}", Enumerable.Repeat(1f, dimension))) },
            },
            NamedCallers.As(caller));

    private static AsyncUnaryCall<CountVectorsResponse> CountAsync(TestServer server, string caller) =>
        server.Api.Vectors.CountVectorsAsync(new() { Collection = "missing" }, NamedCallers.As(caller));

    private static bool IsLimited(TestServer server)
    {
        try
        {
            server.Api.Vectors.CountVectors(new() { Collection = "missing" }, NamedCallers.As("limited"));
            return false;
        }
        catch (RpcException e)
        {
            return e.StatusCode == StatusCode.ResourceExhausted;
        }
    }

    private static bool TryUpsert(TestServer server)
    {
        try
        {
            server.Api.Vectors.UpsertVectors(
                new() { Collection = "own-2", Points = { Items.Point("last", [1]) } }, NamedCallers.As("limited"));
            return true;
        }
        catch (RpcException e) when (e.Reason() == "POINT_LIMIT_REACHED")
        {
            return false;
        }
    }

    private static string? Value(RpcException error, string key) => error.Detail<ErrorInfo>()?.Metadata.GetValueOrDefault(key);
}
