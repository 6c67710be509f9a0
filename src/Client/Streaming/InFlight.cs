using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>
/// The items of one stream between the caller's source and their answers; it outlives connections. Filled by one task, sent by one writer at a time,
/// settled by one reader.
/// </summary>
internal sealed class InFlight<T>(int maxItems, int maxMessageBytes, Func<T, string> itemId)
    where T : class, IMessage<T>
{
    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);

    private readonly SemaphoreSlim _room = new(maxItems, maxItems);
    private readonly Channel<T> _waiting = Channel.CreateUnbounded<T>(new() { SingleReader = true, SingleWriter = true });
    private readonly Queue<T> _unanswered = new();
    private readonly Lock _gate = new();

    /// <summary>What the source threw; null while it has not.</summary>
    public Exception? SourceFailure { get; private set; }

    /// <summary>Whether the source has ended and every item is answered.</summary>
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

    /// <summary>Reads the source, never further than there is room, and disposes of it. Does not throw.</summary>
    public async Task FillAsync(IAsyncEnumerable<T> source, CancellationToken cancellationToken)
    {
        try
        {
            var items = source.GetAsyncEnumerator(cancellationToken);
            await using (items.ConfigureAwait(false))
            {
                // Room first: an item that is read is an item to be kept.
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
    /// Sends what an earlier connection left unanswered, then what the source gives, then half-closes. The call itself has the token: giving it to each write
    /// would cost a registration an item and change nothing.
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
                // One flush for all that is there: the last of them goes without the hint.
                stream.WriteOptions = _waiting.Reader.TryPeek(out _) ? Buffered : null;
                await stream.WriteAsync(item).ConfigureAwait(false);
            }
        }

        await stream.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>Takes the oldest unanswered item as answered; false where there is none.</summary>
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
        // Out of the channel and into the queue at once: between the two an item would be lost.
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
                $"Item '{itemId(item)}' has {size} bytes; the client's limit (MaxMessageBytes) is {maxMessageBytes}.");
    }
}
