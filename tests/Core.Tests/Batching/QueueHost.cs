using Embeddings.Core.Batching;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Core.Tests.Batching;

/// <summary>A queue and its threads, for a session that tests can pause.</summary>
internal sealed class QueueHost : IDisposable
{
    /// <summary>The caller of items that do not name another.</summary>
    public const string Owner = "owner";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public QueueHost(FakeSession session, TimeSpan delay = default)
    {
        Session = session;
        Runner = new(session, new() { MaxBatchDelay = delay }, FakeSession.Metrics(), TimeProvider.System, NullLogger.Instance);
    }

    public FakeSession Session { get; }

    public BatchQueue Queue => Runner.Queue;

    public BatchRunner Runner { get; }

    public async Task<BatchResult> Embed(float value, CancellationToken cancellationToken = default, string owner = Owner) =>
        await (await Reserve(value, owner)).Commit(cancellationToken);

    /// <summary>A place with its input, not yet committed.</summary>
    public async Task<BatchItem> Reserve(float value, string owner = Owner)
    {
        var item = await Queue.ReserveAsync(owner, CancellationToken.None).AsTask().WaitAsync(Limit);
        item.Tensor[0] = value;
        item.Tensor[1] = value + 1;
        return item;
    }

    /// <summary>Some places without input: no batch of theirs can run.</summary>
    public async Task<List<BatchItem>> Places(int count)
    {
        var places = new List<BatchItem>();
        for (var i = 0; i < count; i++)
        {
            places.Add(await Queue.ReserveAsync(Owner, default).AsTask().WaitAsync(Limit));
        }
        return places;
    }

    public Task<BatchResult> Commit(BatchItem place, float value)
    {
        place.Tensor[0] = value;
        return place.Commit(default);
    }

    public Task<BatchResult[]> Commit(List<BatchItem> places) => Task.WhenAll(places.Select((place, i) => Commit(place, i)));

    /// <summary>Full batches of four that are all in the queue before the first of them can run.</summary>
    public async Task<BatchResult[]> EmbedBatches(int count) => await Commit(await Places(4 * count));

    public Task UntilRunning(int[] slots) => Session.Until(running => running.SequenceEqual(slots));

    public Task UntilRunning(int count) => Session.Until(running => running.Length == count);

    public Task UntilOneRunsSingleThreaded() => Session.Until(running => running.Any(slot => slot > 0));

    public void Dispose()
    {
        Session.Resume();
        Runner.Dispose();
    }
}
