using Embeddings.Core.Batching;
using Embeddings.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Core.Tests.Batching;

/// <summary>A queue with what runs it, for a model that tests can hold up.</summary>
internal sealed class QueueHost : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    public QueueHost(FakeModel model, TimeSpan delay = default)
    {
        Model = model;
        Queue = new(model, new() { MaxBatchDelay = delay }, TimeProvider.System);
        Runner = new(model, Queue, FakeModel.Metrics(), NullLogger.Instance);
    }

    public FakeModel Model { get; }

    public BatchQueue Queue { get; }

    public BatchRunner Runner { get; }

    public async Task<BatchResult> Embed(float value, CancellationToken cancellationToken = default) =>
        await (await Reserve(value)).Commit(cancellationToken);

    /// <summary>A place with its input in it, which is all but committed.</summary>
    public async Task<BatchItem> Reserve(float value)
    {
        var item = await Queue.ReserveAsync(CancellationToken.None).AsTask().WaitAsync(Soon);
        item.Tensor[0] = value;
        item.Tensor[1] = value + 1;
        return item;
    }

    /// <summary>So many places, nothing in them yet: no batch of theirs can run.</summary>
    public async Task<List<BatchItem>> Places(int count)
    {
        var places = new List<BatchItem>();
        for (var i = 0; i < count; i++)
        {
            places.Add(await Queue.ReserveAsync(default).AsTask().WaitAsync(Soon));
        }
        return places;
    }

    public Task<BatchResult> Commit(BatchItem place, float value)
    {
        place.Tensor[0] = value;
        return place.Commit(default);
    }

    public Task<BatchResult[]> Commit(List<BatchItem> places) => Task.WhenAll(places.Select((place, i) => Commit(place, i)));

    /// <summary>Full batches of four that are all there before the first of them can run.</summary>
    public async Task<BatchResult[]> EmbedBatches(int count) => await Commit(await Places(4 * count));

    public Task UntilRunning(int[] slots) => Until(running => running.SequenceEqual(slots));

    public Task UntilRunning(int count) => Until(running => running.Length == count);

    public Task UntilOneRunsNarrow() => Until(running => running.Any(slot => slot > 0));

    public void Stop() => Runner.Dispose();

    public void Dispose()
    {
        Model.Resume();
        Runner.Dispose();
        Queue.Dispose();
        Model.Dispose();
    }

    private async Task Until(Func<int[], bool> reached)
    {
        using var limit = new CancellationTokenSource(Soon);
        while (!reached(Model.Running))
        {
            await Task.Delay(1, limit.Token);
        }
    }
}
