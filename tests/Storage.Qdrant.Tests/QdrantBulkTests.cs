using System.Collections.Concurrent;
using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Batching of points into upserts.</summary>
public sealed class QdrantBulkTests : QdrantTestBase
{
    private readonly ConcurrentQueue<UpsertPoints> _upserts = new();

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Troubles.Observer = (_, request) =>
        {
            if (request is UpsertPoints upsert)
            {
                _upserts.Enqueue(upsert);
            }
        };
    }

    [Fact]
    public async Task Many_callers_share_upserts_of_limited_size()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Late) { Method = Upsert, Delay = TimeSpan.FromMilliseconds(20) });
        await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => store.UpsertAsync(Name, [Point($"p{i}")], None)));
        Assert.Equal(2000, _upserts.Sum(upsert => upsert.Points.Count));
        Assert.All(_upserts, upsert => Assert.InRange(upsert.Points.Count, 1, 256));
        Assert.InRange(_upserts.Count, 8, 100);
        Assert.Equal(2000, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Upserts_are_limited_in_bytes()
    {
        await using var store = await StoreAsync(options => options with { MaxUpsertBytes = 10_000 });
        await store.EnsureCollectionAsync(new("wide", 1000, null), None);
        float[] vector = [.. Enumerable.Repeat(1f, 1000)];
        await store.UpsertAsync("wide", [.. Enumerable.Range(0, 10).Select(i => VectorStoreContract.Point($"p{i}", vector))], None);
        Assert.All(_upserts, upsert => Assert.Equal(2, upsert.Points.Count));
        Assert.Equal(5, _upserts.Count);
    }

    [Fact]
    public async Task A_single_point_is_sent_at_once()
    {
        await using var store = await QdrantStores.StartAsync(Server.Address, time: new NoTimers());
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.Single(_upserts);
    }

    [Fact]
    public async Task A_partial_batch_does_not_wait_for_a_stalled_upsert()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert, Times = 1 });
        var stalled = store.UpsertAsync(Name, [Point("p")], None);
        await store.UpsertAsync(Name, [Point("q")], None).WaitAsync(Limit);
        Assert.False(stalled.IsCompleted);
    }

    [Fact]
    public async Task The_last_point_of_an_id_wins_with_any_number_in_flight()
    {
        await using var store = await FilledStoreAsync(options => options with { MaxUpsertPoints = 3, MaxUpsertDelayMs = 0 });
        // Varying delays, and failures after execution, so that upserts can arrive in any order.
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Every = 3, After = true });
        Troubles.Add(new(TroubleKind.Late) { Method = Upsert, Every = 2, Delay = TimeSpan.FromMilliseconds(10) });
        var random = new Random(3);
        var last = new Dictionary<string, int>();
        var writes = new List<Task>();
        for (var i = 1; i <= 600; i++)
        {
            var id = $"p{random.Next(20)}";
            last[id] = i;
            writes.Add(store.UpsertAsync(Name, [Point(id, i, i)], None));
            if (i % 50 == 0)
            {
                await Task.Delay(5);
            }
        }
        await Task.WhenAll(writes).WaitAsync(Limit);
        foreach (var (id, version) in last)
        {
            Assert.Equal(version, (await store.GetAsync(Name, id, None))!.Vector.Span[0], version * 1e-6);
        }
    }

    [Theory]
    [InlineData(AckLevel.Durable, true)]
    [InlineData(AckLevel.Accepted, false)]
    public async Task The_acknowledgement_level_follows_the_option(object ack, bool waits)
    {
        await using var store = await FilledStoreAsync(options => options with { Ack = (AckLevel)ack });
        await store.UpsertAsync(Name, [Point("p")], None);
        Assert.Equal(waits, Assert.Single(_upserts).Wait);
    }

    [Fact]
    public async Task A_wrong_dimension_is_never_sent_to_a_server_that_would_ignore_it()
    {
        await ReplaceServerAsync(new DoubleOptions { Old = true });
        await using var store = await FilledStoreAsync(options => options with { Ack = AckLevel.Accepted });
        await FaultAsync(
            FaultKind.InvalidArgument,
            Reasons.DimensionMismatch,
            () => store.UpsertAsync(Name, [Point("p"), VectorStoreContract.Point("q", [1, 2, 3])], None));
        Assert.Equal(0, Troubles.Calls(Upsert));
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
    }

    /// <summary>A clock whose timers never fire.</summary>
    private sealed class NoTimers : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
