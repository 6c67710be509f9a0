using System.Collections.Concurrent;
using Embeddings.Primitives;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Transient failures are retried, others are reported, and nothing is acknowledged that Qdrant did not store.</summary>
public sealed class QdrantFailureTests : QdrantTestBase
{
    [Theory]
    [InlineData(TroubleKind.Fail, false)]
    [InlineData(TroubleKind.Fail, true)]
    [InlineData(TroubleKind.Drop, false)]
    [InlineData(TroubleKind.Drop, true)]
    public async Task A_write_that_fails_in_passing_is_tried_again(TroubleKind kind, bool after)
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(kind) { Method = Upsert, Times = 3, After = after });
        await store.UpsertAsync(Name, [Point("p"), Point("q")], None).WaitAsync(Limit);
        Assert.Equal(4, Troubles.Calls(Upsert));
        Assert.Equal(2, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Theory]
    [InlineData(TroubleKind.Fail)]
    [InlineData(TroubleKind.Drop)]
    public async Task Reads_and_deletions_are_tried_again(TroubleKind kind)
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p"), Point("q"), Point("r")], None);
        // Every second call, of whatever kind.
        Troubles.Add(new(kind) { Every = 2, After = true });
        Assert.Equal(3, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Equal(3, (await store.ListAsync(Name, PointFilter.All, 5, "", true, None)).Points.Count);
        Assert.Equal(3, (await store.SearchAsync(Name, [new(new float[] { 1, 0 })], new(), None))[0].Count);
        Assert.NotNull(await store.GetAsync(Name, "p", None));
        Assert.Equal(1, await store.DeleteAsync(Name, ["p"], None));
        Assert.Equal(2, await store.DeleteAsync(Name, PointFilter.All, None));
        Assert.Equal(0, await store.DropCollectionAsync(Name, None));
    }

    [Fact]
    public async Task A_collection_is_created_although_the_cluster_is_electing_a_leader()
    {
        await using var store = await StoreAsync();
        const string Detail = "Service internal error: Waiting for consensus operation commit failed. Timeout set at: 10 seconds";
        Troubles.Add(new(TroubleKind.Fail) { Method = "Collections/Create", Status = StatusCode.Internal, Message = Detail, Times = 2, After = true });
        await store.EnsureCollectionAsync(new(Name, 2, null), None).AsTask().WaitAsync(Limit);
        Assert.NotNull(await store.FindCollectionAsync(Name, None));
    }

    [Fact]
    public async Task A_read_of_a_collection_that_is_being_deleted_is_repeated()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p")], None);
        const string Detail = "Service internal error: 0 of 0 read operations failed";
        Troubles.Add(new(TroubleKind.Fail) { Method = "Points/Count", Status = StatusCode.Internal, Message = Detail, Times = 1 });
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Equal(2, Troubles.Calls("Points/Count"));
    }

    [Fact]
    public async Task What_Qdrant_refuses_is_not_acknowledged()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Status = StatusCode.Internal, Message = "Service internal error: disk" });
        var fault = await FaultAsync(FaultKind.Internal, Reasons.Internal, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.Contains("disk", fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, Troubles.Calls(Upsert));
        Troubles.Clear();
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_store_that_is_locked_is_not_there()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Status = StatusCode.FailedPrecondition, Message = "Write operations are forbidden" });
        var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.Contains("Write operations are forbidden", fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, Troubles.Calls(Upsert));
    }

    [Fact]
    public async Task A_stall_ends_with_the_trys_deadline_and_the_next_try_may_succeed()
    {
        await using var store = await FilledStoreAsync(options => options with { WriteTimeoutSeconds = 0.2 });
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert, Times = 1 });
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.True(Troubles.Calls(Upsert) >= 2);
    }

    [Fact]
    public async Task A_stall_without_end_is_unavailable()
    {
        await using var store = await FilledStoreAsync(
            options => options with { WriteTimeoutSeconds = 0.2, WriteRetrySeconds = 3, ReadTimeoutSeconds = 0.2, ReadRetrySeconds = 0 });
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert });
        Troubles.Add(new(TroubleKind.Stall) { Method = "Points/Count" });
        var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.NotNull(fault.RetryAfter);
        Assert.True(Troubles.Calls(Upsert) >= 2);
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.CountAsync(Name, PointFilter.All, None));
        // On a busy machine its deadline may pass before it comes.
        Assert.InRange(Troubles.Calls("Points/Count"), 0, 1);
    }

    [Fact]
    public async Task A_caller_that_has_left_waits_no_longer_and_closing_does_not_wait_for_a_stalled_write()
    {
        await using var store = await FilledStoreAsync(options => options with { WriteTimeoutSeconds = 0.1 });
        using var caller = new CancellationTokenSource();
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert });
        CancelOnUpsert(caller);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.UpsertAsync(Name, [Point("p")], caller.Token).WaitAsync(Limit));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.CountAsync(Name, PointFilter.All, caller.Token));
        await store.DisposeAsync().AsTask().WaitAsync(Limit);
    }

    [Fact]
    public async Task The_points_of_a_caller_that_left_during_the_call_are_not_sent_again()
    {
        using var caller = new CancellationTokenSource();
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert });
        CancelOnUpsert(caller);
        await AssertSentOnceAsync(store, caller.Token);
    }

    [Fact]
    public async Task The_points_of_a_caller_that_left_during_the_pause_are_not_sent_again()
    {
        const int CallRetried = 4102;
        using var caller = new CancellationTokenSource();
        var log = new EventLog((id, _) =>
        {
            if (id == CallRetried)
            {
                caller.Cancel();
            }
        });
        await using var store = await QdrantStores.StartAsync(Server.Address, log: log);
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert });
        await AssertSentOnceAsync(store, caller.Token);
    }

    private void CancelOnUpsert(CancellationTokenSource caller) => Troubles.Observer = (_, request) =>
    {
        if (request is UpsertPoints)
        {
            caller.Cancel();
        }
    };

    private async Task AssertSentOnceAsync(QdrantVectorStore store, CancellationToken caller)
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.UpsertAsync(Name, [Point("p")], caller).WaitAsync(Limit));
        // Closing waits for what is in flight, so the count is final.
        await store.DisposeAsync().AsTask().WaitAsync(Limit);
        Assert.Equal(1, Troubles.Calls(Upsert));
    }

    [Fact]
    public async Task A_rate_limit_is_waited_for_where_Qdrant_says_how_long()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(Trouble.RateLimit(retryAfter: 1) with { Method = Upsert, Times = 1 });
        var began = TimeProvider.System.GetTimestamp();
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.True(TimeProvider.System.GetElapsedTime(began) >= TimeSpan.FromSeconds(0.9));
        Assert.Equal(2, Troubles.Calls(Upsert));
    }

    [Fact]
    public async Task A_rate_limit_is_the_callers_where_waiting_does_not_help_or_takes_too_long()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(Trouble.RateLimit(retryAfter: null) with { Method = Upsert, Times = 1 });
        Troubles.Add(Trouble.RateLimit(retryAfter: 3600) with { Method = Upsert, Times = 1 });
        var fault = await FaultAsync(FaultKind.ResourceExhausted, Reasons.StoreFull, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.Null(fault.RetryAfter);
        fault = await FaultAsync(FaultKind.ResourceExhausted, Reasons.QueueFull, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.Equal(TimeSpan.FromHours(1), fault.RetryAfter);
        Assert.Equal(2, Troubles.Calls(Upsert));
    }

    [Fact]
    public async Task A_lost_node_fails_what_needs_it_and_is_made_up_for_when_it_is_back()
    {
        await using var store = await FilledStoreAsync(options => options with { WriteRetrySeconds = 0.2, ReadRetrySeconds = 0.1 });
        var points = Enumerable.Range(0, 50).Select(i => Point($"p{i}")).ToList();
        Troubles.LoseNode(1);
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, points, None));
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.CountAsync(Name, PointFilter.All, None));
        Troubles.Clear();
        Assert.InRange(await store.CountAsync(Name, PointFilter.All, None), 1, 49);
        await store.UpsertAsync(Name, points, None);
        Assert.Equal(50, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task One_bad_point_does_not_fail_those_it_is_sent_with()
    {
        using var queued = new ManualResetEventSlim();
        var sent = new ConcurrentQueue<int>();
        Troubles.Observer = (_, request) =>
        {
            if (request is UpsertPoints upsert)
            {
                sent.Enqueue(upsert.Points.Count);
                queued.Wait(Limit);
            }
        };
        Troubles.Refuse(request => request is UpsertPoints upsert && upsert.Points.Any(point => point.Payload["point_id"].StringValue == "bad"));
        // Points that arrive while the first upsert is in flight are sent together when it is done.
        await using var store = await FilledStoreAsync(options => options with { MaxUpsertDelayMs = 10_000 });
        var first = store.UpsertAsync(Name, [Point("first")], None);
        var good = store.UpsertAsync(Name, [Point("good")], None);
        var bad = store.UpsertAsync(Name, [Point("bad")], None);
        queued.Set();
        await Task.WhenAll(first, good).WaitAsync(Limit);
        await FaultAsync(FaultKind.InvalidArgument, Reasons.FieldInvalid, () => bad);
        Assert.Equal([1, 2, 1, 1], sent);
        Assert.Equal(2, await store.CountAsync(Name, PointFilter.All, None));
    }
}
