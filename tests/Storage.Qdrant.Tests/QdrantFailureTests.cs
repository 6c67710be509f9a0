using Embeddings.Primitives;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// Transient failures are retried, permanent failures reported; only writes that Qdrant has accepted are acknowledged.
/// </summary>
public sealed class QdrantFailureTests : QdrantTestBase
{
    [Theory]
    [InlineData(TroubleKind.Fail, false)]
    [InlineData(TroubleKind.Fail, true)]
    [InlineData(TroubleKind.Drop, false)]
    [InlineData(TroubleKind.Drop, true)]
    public async Task A_write_is_retried_after_transient_failures(TroubleKind kind, bool after)
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
    public async Task Reads_and_deletions_are_retried(TroubleKind kind)
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p"), Point("q"), Point("r")], None);
        // Every second call of any kind.
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
    public async Task A_rejected_write_is_not_acknowledged()
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
    public async Task A_locked_store_is_unavailable()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Status = StatusCode.FailedPrecondition, Message = "Write operations are forbidden" });
        var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.Contains("Write operations are forbidden", fault.Message, StringComparison.Ordinal);
        Assert.Equal(1, Troubles.Calls(Upsert));
    }

    [Fact]
    public async Task A_stalled_attempt_ends_at_its_deadline_and_is_retried()
    {
        await using var store = await FilledStoreAsync(options => options with { WriteTimeoutSeconds = 0.2 });
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert, Times = 1 });
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.True(Troubles.Calls(Upsert) >= 2);
    }

    [Fact]
    public async Task A_permanent_stall_is_unavailable()
    {
        await using var store = await FilledStoreAsync(
            options => options with { WriteTimeoutSeconds = 0.2, WriteRetrySeconds = 3, ReadTimeoutSeconds = 0.2, ReadRetrySeconds = 0 });
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert });
        Troubles.Add(new(TroubleKind.Stall) { Method = "Points/Count" });
        var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.NotNull(fault.RetryAfter);
        Assert.True(Troubles.Calls(Upsert) >= 2);
        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.CountAsync(Name, PointFilter.All, None));
        // On a busy machine the deadline may expire before the call arrives.
        Assert.InRange(Troubles.Calls("Points/Count"), 0, 1);
    }

    [Fact]
    public async Task A_cancelled_call_ends_and_its_points_are_not_retried()
    {
        await using var store = await FilledStoreAsync(options => options with { WriteTimeoutSeconds = 0.1 });
        Troubles.Add(new(TroubleKind.Stall) { Method = Upsert });
        using var cancellation = new CancellationTokenSource(50);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.UpsertAsync(Name, [Point("p")], cancellation.Token).WaitAsync(Limit));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.CountAsync(Name, PointFilter.All, cancellation.Token));
        // The store closes without waiting for retries.
        await store.DisposeAsync().AsTask().WaitAsync(Limit);
        Assert.InRange(Troubles.Calls(Upsert), 0, 1);
    }

    [Fact]
    public async Task A_rate_limit_with_a_delay_is_retried_after_the_delay()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(Trouble.RateLimit(retryAfter: 1) with { Method = Upsert, Times = 1 });
        var started = TimeProvider.System.GetTimestamp();
        await store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit);
        Assert.True(TimeProvider.System.GetElapsedTime(started) >= TimeSpan.FromSeconds(0.9));
        Assert.Equal(2, Troubles.Calls(Upsert));
    }

    [Fact]
    public async Task A_rate_limit_without_a_delay_or_with_a_long_one_is_reported_to_the_caller()
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
    public async Task A_lost_node_fails_the_calls_that_need_it_until_it_returns()
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
    public async Task One_invalid_point_does_not_fail_the_rest_of_its_upsert()
    {
        await using var store = await FilledStoreAsync();
        Troubles.Refuse(request => request is UpsertPoints upsert
            && upsert.Points.Any(point => point.Payload["point_id"].StringValue == "bad"));
        // Points that arrive while it is in flight form one upsert.
        Troubles.Add(new(TroubleKind.Late) { Method = Upsert, Times = 1 });
        var first = store.UpsertAsync(Name, [Point("first")], None);
        var good = store.UpsertAsync(Name, [Point("good")], None);
        var bad = store.UpsertAsync(Name, [Point("bad")], None);
        await Task.WhenAll(first, good).WaitAsync(Limit);
        await FaultAsync(FaultKind.InvalidArgument, Reasons.FieldInvalid, () => bad);
        Assert.Equal(2, await store.CountAsync(Name, PointFilter.All, None));
    }
}
