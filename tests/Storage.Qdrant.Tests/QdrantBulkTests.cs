using System.Collections.Concurrent;
using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>How points are grouped into upserts.</summary>
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
    public async Task Many_callers_share_upserts_of_bounded_size()
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
    public async Task Upserts_are_bounded_in_bytes()
    {
        await using var store = await StoreAsync(options => options with { MaxUpsertBytes = 10_000 });
        await store.EnsureCollectionAsync(new("wide", 1000, null), None);
        await store.UpsertAsync("wide", [.. Enumerable.Range(0, 10).Select(i => VectorStoreContract.Point($"p{i}", [.. Enumerable.Repeat(1f, 1000)]))], None);
        Assert.All(_upserts, upsert => Assert.Equal(2, upsert.Points.Count));
        Assert.Equal(5, _upserts.Count);
    }

    [Fact]
    public async Task A_lone_point_goes_at_once()
    {
        await using var store = await QdrantStores.StartAsync(Server.Address, time: new NoTimers());
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.Single(_upserts);
    }

    [Fact]
    public async Task A_few_points_do_not_wait_for_ever_for_the_upsert_before_them()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert, Times = 1 });
        var stalled = store.UpsertAsync(Name, [Point("p")], None);
        await store.UpsertAsync(Name, [Point("q")], None).WaitAsync(Limit);
        Assert.False(stalled.IsCompleted);
    }

    [Fact]
    public async Task The_later_of_equal_ids_wins_however_many_are_on_their_way()
    {
        await using var store = await FilledStoreAsync(options => options with { MaxUpsertPoints = 3, MaxUpsertDelayMs = 0 });
        // Answers of uneven lateness, and some that fail after they were carried out: the order of arrival is anything.
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
    public async Task An_ack_is_what_was_asked_for(object ack, bool waits)
    {
        await using var store = await FilledStoreAsync(options => options with { Ack = (AckLevel)ack });
        await store.UpsertAsync(Name, [Point("p")], None);
        Assert.Equal(waits, Assert.Single(_upserts).Wait);
    }

    [Fact]
    public async Task Nothing_of_a_wrong_dimension_is_sent_to_a_server_that_would_swallow_it()
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

    /// <summary>A clock by which no waiting ever ends.</summary>
    private sealed class NoTimers : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
