using Embeddings.Primitives;
using Embeddings.Testing;
using Google.Protobuf;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class UpsertQueueTests
{
    private readonly UpsertQueue _queue = new();

    [Fact]
    public void Points_are_taken_in_order_and_within_the_limits()
    {
        foreach (var name in new[] { "a", "b", "c", "d", "e" })
        {
            _queue.Add(Pending(name, bytes: 10));
        }
        Assert.Equal((5, 50L), (_queue.Count, _queue.Bytes));
        Assert.Equal(Ids("a", "b"), Ids(_queue.Take(2, 1000)));
        Assert.Equal(Ids("c", "d"), Ids(_queue.Take(10, 29)));
        Assert.Equal(Ids("e"), Ids(_queue.Take(10, 1)));
        Assert.Equal((0, 0L), (_queue.Count, _queue.Bytes));
    }

    [Fact]
    public void Of_waiting_points_with_the_same_id_only_the_last_is_sent()
    {
        var (first, second) = (Job(), Job());
        _queue.Add(Pending("a", first, bytes: 10));
        _queue.Add(Pending("b"));
        _queue.Add(Pending("a", second, bytes: 30));
        Assert.Equal(31, _queue.Bytes);
        var taken = _queue.Take(10, 1000);
        Assert.Equal(Ids("a", "b"), Ids(taken));
        Assert.Equal([second, first], taken[0].Versions.Select(version => version.Job));
    }

    [Fact]
    public void No_id_is_in_flight_twice()
    {
        _queue.Add(Pending("a"));
        var inFlight = _queue.Take(10, 1000);
        _queue.Add(Pending("a", bytes: 5));
        _queue.Add(Pending("b"));
        _queue.Add(Pending("a", bytes: 7));
        Assert.Equal((1, 1L), (_queue.Count, _queue.Bytes));
        var others = _queue.Take(10, 1000);
        Assert.Equal(Ids("b"), Ids(others));
        Assert.Empty(_queue.Take(10, 1000));
        _queue.Completed(inFlight);
        Assert.Equal((1, 7L), (_queue.Count, _queue.Bytes));
        Assert.Equal(2, Assert.Single(_queue.Take(10, 1000)).Versions.Count());
        _queue.Completed(others);
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public async Task A_cancelled_point_is_not_sent_but_the_version_it_replaced_is()
    {
        using var cancellation = new CancellationTokenSource();
        var (cancelled, kept) = (Job(cancellation.Token), Job());
        _queue.Add(Pending("a", kept, bytes: 3));
        _queue.Add(Pending("a", cancelled));
        _queue.Add(Pending("b", cancelled));
        await cancellation.CancelAsync();
        var taken = _queue.Take(10, 1000);
        Assert.Same(kept, Assert.Single(taken).Job);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.Task);
        Assert.Equal((0, 0L), (_queue.Count, _queue.Bytes));
        _queue.Completed(taken);
        Assert.Equal(0, _queue.Count);
    }

    [Fact]
    public async Task A_job_that_failed_drops_its_points_and_ends_when_all_are_known()
    {
        var job = new UpsertJob(4, CancellationToken.None);
        for (var i = 0; i < 4; i++)
        {
            _queue.Add(new(PointIds.Of($"{i}"), ByteString.CopyFrom(1), job, i));
        }
        Assert.Equal(2, _queue.Take(2, 1000).Count);
        job.PointFailed(1, Fault.Invalid("REASON", "", "Message."));
        Assert.False(job.Task.IsCompleted);
        Assert.Empty(_queue.Take(10, 1000));
        Assert.False(job.Task.IsCompleted);
        job.PointStored(0);
        var fault = await Assert.ThrowsAsync<Fault>(() => job.Task);
        Assert.Equal("1-3", fault.Metadata[FaultKeys.NotStored]);
        Assert.StartsWith("3 of 4 points are not stored", fault.Message);
    }

    private static UpsertJob Job(CancellationToken cancellationToken = default) => new(1, cancellationToken);

    private static PendingPoint Pending(string name, UpsertJob? job = null, int bytes = 1) => new(PointIds.Of(name), ByteString.CopyFrom(new byte[bytes]), job ?? Job());

    private static IEnumerable<Guid> Ids(params string[] names) => names.Select(PointIds.Of);

    private static IEnumerable<Guid> Ids(List<PendingPoint> points) => points.Select(point => point.Id);
}
