using System.Buffers;
using System.Runtime.ExceptionServices;
using Embeddings.Core.Batching;
using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;

namespace Embeddings.Core.Faces;

/// <summary>
/// The items that one photo gives a model: they are laid out one after the other and run in batches, together with those of
/// other photos. One lease holds the model, so that all of them run in the same session. Disposed when all have ended.
/// </summary>
/// <param name="lease">Released by the disposal.</param>
/// <param name="clock">Counts the time of the photo.</param>
/// <param name="cancellationToken">Drops items that have not run.</param>
internal sealed class ModelRun(ModelLease lease, PhotoClock clock, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    private readonly List<Task> _items = [];
    private Exception? _failure;

    /// <summary>True if there will be one item, and its caller has nothing else to do than to run it.</summary>
    public bool IsAlone { get; set; }

    /// <summary>The manifest of the model that runs, which may have been loaded since the request was checked.</summary>
    public ModelManifest Manifest => lease.Runner.Session.Model.Manifest;

    /// <summary>
    /// Draws an item and puts it in a batch. Completes when it is there; <paramref name="read"/> gets its result later.
    /// </summary>
    /// <param name="draw">Fills the pixels of the model's input size, with the channels of <paramref name="format"/>.</param>
    /// <param name="state">Passed to <paramref name="draw"/>.</param>
    /// <param name="format">RGB8, BGR8 or GRAY8.</param>
    /// <param name="read">Called once with the result, on any thread, for several items at a time.</param>
    public async ValueTask AddAsync<TState>(
        Draw<TState> draw, TState state, PixelFormat format, Action<float[]> read)
    {
        ThrowIfStopped();
        var began = clock.Start();
        using var prepared = Prepare(draw, state, format);
        clock.Preprocess(began);
        var item = await ReserveAsync();
        began = clock.Start();
        try
        {
            prepared.WriteTo(item.Tensor, lease.Input);
        }
        catch
        {
            item.Abandon();
            throw;
        }
        clock.Preprocess(began);
        var running = IsAlone && lease.Model.IsQuick
            ? lease.Runner.CommitOnCaller(item, _stop.Token)
            : item.Commit(_stop.Token);
        _items.Add(ReadAsync(running, read));
    }

    /// <summary>Completes when all items have been read. Throws the first error; the items after it are dropped.</summary>
    public async Task CompleteAsync()
    {
        await EndAsync();
        ThrowIfStopped();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await EndAsync();
        lease.Release();
        _stop.Dispose();
    }

    private async Task EndAsync() => await Task.WhenAll(_items).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async ValueTask<BatchItem> ReserveAsync()
    {
        try
        {
            return await lease.Runner.Queue.ReserveAsync(Caller.Current, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The cause is another item, unless the caller has gone.
            ThrowIfStopped();
            throw;
        }
    }

    private void ThrowIfStopped()
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    private PreparedImage Prepare<TState>(Draw<TState> draw, TState state, PixelFormat format)
    {
        var length = lease.Input.Width * lease.Input.Height * (format == PixelFormat.Gray8 ? 1 : 3);
        var pooled = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            draw(state, pooled.AsSpan(0, length));
            return PreparedImage.Pooled(pooled, length, format);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(pooled);
            throw;
        }
    }

    private async Task ReadAsync(Task<BatchResult> running, Action<float[]> read)
    {
        try
        {
            var result = await running;
            lease.Runner.Session.Finish(result.Vector);
            lease.Model.Record(result);
            read(result.Vector);
        }
        catch (Exception e)
        {
            // Those after the first are cancelled because of it.
            Interlocked.CompareExchange(ref _failure, e, null);
            await _stop.CancelAsync();
            throw;
        }
    }
}

/// <summary>Draws the pixels of an item.</summary>
internal delegate void Draw<TState>(TState state, Span<byte> pixels);

/// <summary>The time that one photo takes. Used by one thread at a time.</summary>
internal sealed class PhotoClock(TimeProvider time)
{
    /// <summary>Timestamp of the start.</summary>
    public long Began { get; } = time.GetTimestamp();

    /// <summary>Time spent waiting for memory and for a decoder.</summary>
    public TimeSpan Queued { get; private set; }

    /// <summary>Time spent on decoding and cutting.</summary>
    public TimeSpan Preprocessed { get; private set; }

    /// <summary>All other time.</summary>
    public TimeSpan Other => time.GetElapsedTime(Began) - Queued - Preprocessed;

    public long Start() => time.GetTimestamp();

    public void Queue(long began) => Queued += time.GetElapsedTime(began);

    public void Preprocess(long began) => Preprocessed += time.GetElapsedTime(began);
}
