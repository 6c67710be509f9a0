using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>
/// Items of one stream that have been read from the caller's source but not answered. Kept across reconnects. One task
/// fills it, one writer at a time sends from it, and one reader settles it.
/// </summary>
internal sealed class InFlight<T>(int maxItems, int maxMessageBytes, Func<T, string> itemId)
    where T : class, IMessage<T>
{
    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);

    private readonly SemaphoreSlim _room = new(maxItems, maxItems);
    private readonly Channel<T> _waiting = Channel.CreateUnbounded<T>(new() { SingleReader = true, SingleWriter = true });
    private readonly Queue<T> _unanswered = new();
    private readonly object _gate = new();

    /// <summary>Exception thrown by the source, or null.</summary>
    public Exception? SourceFailure { get; private set; }

    /// <summary>True if the source has ended and every item has been answered.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_gate)
            {
                return _unanswered.Count == 0 && _waiting.Reader.Completion.IsCompleted;
            }
        }
    }

    /// <summary>True if an item that has been read is unanswered. Use only between connections.</summary>
    public bool IsOwed
    {
        get
        {
            lock (_gate)
            {
                return _unanswered.Count > 0 || _waiting.Reader.TryPeek(out _);
            }
        }
    }

    /// <summary>
    /// Waits for an item to send and returns whether there is one. Use only between connections.
    /// </summary>
    public async ValueTask<bool> HasWorkAsync(CancellationToken cancellationToken) =>
        IsOwed || await _waiting.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>Reads the source while there is room for more items, then disposes of it. Does not throw.</summary>
    public async Task FillAsync(IAsyncEnumerable<T> source, CancellationToken cancellationToken)
    {
        try
        {
            var items = source.GetAsyncEnumerator(cancellationToken);
            await using (items.ConfigureAwait(false))
            {
                // Wait for room before reading, because an item that has been read must be kept.
                await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
                while (await items.MoveNextAsync().ConfigureAwait(false))
                {
                    _waiting.Writer.TryWrite(Checked(items.Current));
                    await _room.WaitAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception failure)
        {
            SourceFailure = failure;
        }
        finally
        {
            _waiting.Writer.TryComplete();
        }
    }

    /// <summary>
    /// Resends items left unanswered by an earlier connection, sends new items from the source, and half-closes the
    /// stream. Writes take no token: the call already has it, and passing it to each write would cost one registration
    /// per item.
    /// </summary>
    public async Task SendAsync(IClientStreamWriter<T> stream, CancellationToken cancellationToken)
    {
        T[] again;
        lock (_gate)
        {
            again = [.. _unanswered];
        }

        foreach (var item in again)
        {
            await stream.WriteAsync(item).ConfigureAwait(false);
        }

        while (await _waiting.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            while (TryTake(out var item))
            {
                // Flush once for all waiting items: only the last one is sent without the buffer hint.
                stream.WriteOptions = _waiting.Reader.TryPeek(out _) ? Buffered : null;
                await stream.WriteAsync(item).ConfigureAwait(false);
            }
        }

        await stream.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>Removes the oldest unanswered item. Returns false if there is none.</summary>
    public bool TrySettle([MaybeNullWhen(false)] out T item)
    {
        lock (_gate)
        {
            if (!_unanswered.TryDequeue(out item))
            {
                return false;
            }
        }

        _room.Release();
        return true;
    }

    private bool TryTake([MaybeNullWhen(false)] out T item)
    {
        // Move the item from the channel to the queue atomically; a reconnect in between would lose it.
        lock (_gate)
        {
            if (!_waiting.Reader.TryRead(out item))
            {
                return false;
            }

            _unanswered.Enqueue(item);
            return true;
        }
    }

    private T Checked(T item)
    {
        ArgumentNullException.ThrowIfNull(item);
        var size = item.CalculateSize();
        return size <= maxMessageBytes
            ? item
            : throw new EmbeddingsException(
                StatusCode.ResourceExhausted,
                "MESSAGE_TOO_LARGE",
                $"Item '{itemId(item)}' must have at most {maxMessageBytes} bytes (MaxMessageBytes); got {size}.");
    }
}
