using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Client.Streaming;

/// <summary>
/// Items of one stream that have been read from the caller's source but not answered, and the rules by which they are
/// packed into messages. Kept across reconnects. One task fills it, one writer at a time sends from it, and one reader
/// settles it. All of them work on two queues under one lock: an item is added under a lock of its own, and sent and settled
/// under a lock that all items of its message share.
/// </summary>
internal sealed class InFlight<T> : IDisposable
    where T : class, IMessage<T>, IStreamMessage<T>, new()
{
    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);

    private readonly Func<T, string> _itemId;
    private readonly int _maxInFlight;
    private readonly int _maxMessageBytes;
    private readonly int _maxItems;
    private readonly int _maxBytes;
    private readonly TimeSpan _delay;
    private readonly ITimer? _timer;

    private readonly object _gate = new();
    private readonly Queue<Entry> _unanswered = new();
    private Queue<Entry> _waiting = new();
    private long _waitingBytes;
    private bool _ended;

    // The delay runs from the moment at which the first item of the next message starts to wait.
    private bool _delayRuns;
    private bool _delayIsOver;

    // Set while the task sleeps. Completed when the state that it waits for changes.
    private TaskCompletionSource? _sleepingFiller;
    private TaskCompletionSource? _sleepingSender;

    public InFlight(EmbeddingsClientOptions options, TimeProvider time, Func<T, string> itemId)
    {
        _itemId = itemId;
        _maxInFlight = options.MaxInFlight;
        _maxMessageBytes = options.MaxMessageBytes;
        // Several messages must fit into the window: while one is answered, the next ones are under way.
        _maxItems = Math.Min(options.MaxItemsPerMessage, Math.Max(1, options.MaxInFlight / 4));
        _maxBytes = Math.Min(options.MaxBytesPerMessage, options.MaxMessageBytes);
        _delay = options.BatchDelay;
        if (_maxItems > 1 && _delay > TimeSpan.Zero)
        {
            _timer = time.CreateTimer(_ => OnDelayOver(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Exception thrown by the source, or null.</summary>
    public Exception? SourceFailure { get; private set; }

    /// <summary>True if the source has ended and every item has been answered.</summary>
    public bool IsComplete
    {
        get
        {
            lock (_gate)
            {
                return _ended && Count == 0;
            }
        }
    }

    /// <summary>True if an item that has been read is unanswered.</summary>
    public bool IsOwed
    {
        get
        {
            lock (_gate)
            {
                return Count > 0;
            }
        }
    }

    private int Count => _unanswered.Count + _waiting.Count;

    // More items would not come in time, would not fit, or would not make up for an idle connection.
    private bool IsDue =>
        _waiting.Count > 0
        && (_timer is null
            || _delayIsOver
            || _ended
            || _unanswered.Count == 0
            || _waiting.Count >= _maxItems
            || _waitingBytes >= _maxBytes
            || Count >= _maxInFlight);

    public void Dispose() => _timer?.Dispose();

    /// <summary>
    /// Waits for an item to send and returns whether there is one. Use only between connections.
    /// </summary>
    public async ValueTask<bool> HasWorkAsync(CancellationToken cancellationToken)
    {
        await using var wake = cancellationToken.UnsafeRegister(_ => WakeSender(), null).ConfigureAwait(false);
        while (true)
        {
            Task woken;
            lock (_gate)
            {
                if (Count > 0 || _ended)
                {
                    return Count > 0;
                }

                woken = Sleep(ref _sleepingSender);
            }

            cancellationToken.ThrowIfCancellationRequested();
            await woken.ConfigureAwait(false);
        }
    }

    /// <summary>Reads the source while there is room for more items, then disposes of it. Does not throw.</summary>
    public async Task FillAsync(IAsyncEnumerable<T> source, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        try
        {
            await using var wake = cancellationToken.UnsafeRegister(_ => WakeFiller(), null).ConfigureAwait(false);
            var items = source.GetAsyncEnumerator(cancellationToken);
            await using (items.ConfigureAwait(false))
            {
                // Wait for room before reading, because an item that has been read must be kept.
                while (await items.MoveNextAsync().ConfigureAwait(false))
                {
                    if (!Add(Checked(items.Current)))
                    {
                        await RoomAsync(cancellationToken).ConfigureAwait(false);
                    }
                }
            }
        }
        catch (Exception error)
        {
            failure = error;
        }

        lock (_gate)
        {
            SourceFailure = failure;
            _ended = true;
            Wake(ref _sleepingSender);
        }
    }

    /// <summary>
    /// Resends items left unanswered by an earlier connection, sends new items from the source, and half-closes the
    /// stream. Writes take no token: the call already has it, and passing it to each write would cost one registration
    /// per message.
    /// </summary>
    public async Task SendAsync(IClientStreamWriter<T> stream, CancellationToken cancellationToken)
    {
        await using var wake = cancellationToken.UnsafeRegister(_ => WakeSender(), null).ConfigureAwait(false);
        Rewind();
        while (true)
        {
            // The source ends with the cancellation, and what it has left must not be sent.
            cancellationToken.ThrowIfCancellationRequested();
            T message;
            bool isMoreDue;
            Task? woken = null;
            lock (_gate)
            {
                if (!IsDue)
                {
                    if (_ended && _waiting.Count == 0)
                    {
                        break;
                    }

                    woken = Sleep(ref _sleepingSender);
                    (message, isMoreDue) = (null!, false);
                }
                else
                {
                    message = Pack();
                    isMoreDue = IsDue;
                }
            }

            if (woken is not null)
            {
                cancellationToken.ThrowIfCancellationRequested();
                await woken.ConfigureAwait(false);
                continue;
            }

            // Flush once for all messages that are due: only the last one is sent without the buffer hint.
            stream.WriteOptions = isMoreDue ? Buffered : null;
            await stream.WriteAsync(message).ConfigureAwait(false);
        }

        await stream.CompleteAsync().ConfigureAwait(false);
    }

    /// <summary>
    /// Removes the oldest unanswered items, as many as a response has results, and puts them into the list. Fewer if the
    /// response has more results than there are items. Makes room for all of them at once, so that the source is read in
    /// groups that fill a message.
    /// </summary>
    public void Settle(int count, List<T> settled)
    {
        settled.Clear();
        lock (_gate)
        {
            while (settled.Count < count && _unanswered.TryDequeue(out var entry))
            {
                settled.Add(entry.Item);
            }

            Wake(ref _sleepingFiller);
            if (IsDue)
            {
                Wake(ref _sleepingSender);
            }
        }
    }

    // Returns whether there is room for another item.
    private bool Add(Entry entry)
    {
        lock (_gate)
        {
            _waiting.Enqueue(entry);
            _waitingBytes += entry.Bytes;
            if (IsDue)
            {
                Wake(ref _sleepingSender);
            }
            else
            {
                StartDelay();
            }

            return Count < _maxInFlight;
        }
    }

    private async ValueTask RoomAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task woken;
            lock (_gate)
            {
                if (Count < _maxInFlight)
                {
                    return;
                }

                woken = Sleep(ref _sleepingFiller);
            }

            cancellationToken.ThrowIfCancellationRequested();
            await woken.ConfigureAwait(false);
        }
    }

    private void Rewind()
    {
        lock (_gate)
        {
            if (_unanswered.Count > 0)
            {
                _waitingBytes += _unanswered.Sum(entry => (long)entry.Bytes);
                _waiting = new Queue<Entry>(_unanswered.Concat(_waiting));
                _unanswered.Clear();
            }
        }
    }

    // Moves the items of the next message to the unanswered ones, in the same lock; a reconnect in between would lose
    // them. A single item is sent in the form that servers of all versions read.
    private T Pack()
    {
        var first = Take();
        var message = first.Item;
        var bytes = first.Bytes;
        for (var count = 1; count < _maxItems && _waiting.TryPeek(out var next) && next.Bytes <= _maxBytes - bytes; count++)
        {
            if (count == 1)
            {
                message = new T();
                message.Items.Capacity = Math.Min(_maxItems, _waiting.Count + 1);
                message.Items.Add(first.Item);
            }

            message.Items.Add(Take().Item);
            bytes += next.Bytes;
        }

        StopDelay();
        if (_waiting.Count > 0 && !IsDue)
        {
            StartDelay();
        }

        return message;
    }

    private Entry Take()
    {
        var entry = _waiting.Dequeue();
        _waitingBytes -= entry.Bytes;
        _unanswered.Enqueue(entry);
        return entry;
    }

    private void StartDelay()
    {
        if (!_delayRuns)
        {
            _delayRuns = true;
            _timer?.Change(_delay, Timeout.InfiniteTimeSpan);
        }
    }

    // A timer that has just fired may still end the delay of the next message, which is then sent early.
    private void StopDelay()
    {
        _delayIsOver = false;
        if (_delayRuns)
        {
            _delayRuns = false;
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void OnDelayOver()
    {
        lock (_gate)
        {
            _delayIsOver = true;
            Wake(ref _sleepingSender);
        }
    }

    private void WakeFiller()
    {
        lock (_gate)
        {
            Wake(ref _sleepingFiller);
        }
    }

    private void WakeSender()
    {
        lock (_gate)
        {
            Wake(ref _sleepingSender);
        }
    }

    private static Task Sleep(ref TaskCompletionSource? sleeping)
    {
        sleeping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return sleeping.Task;
    }

    private static void Wake(ref TaskCompletionSource? sleeping)
    {
        sleeping?.SetResult();
        sleeping = null;
    }

    private Entry Checked(T item)
    {
        ArgumentNullException.ThrowIfNull(item);
        if (item.Items.Count > 0)
        {
            throw new ArgumentException(
                $"A request must be a single item, because the client packs items into messages by itself; got one with "
                + $"{item.Items.Count} items.",
                "requests");
        }

        var size = item.CalculateSize();
        return size <= _maxMessageBytes
            ? new Entry(item, size + 1 + CodedOutputStream.ComputeLengthSize(size))
            : throw new EmbeddingsException(
                StatusCode.ResourceExhausted,
                "MESSAGE_TOO_LARGE",
                $"Item '{_itemId(item)}' must have at most {_maxMessageBytes} bytes (MaxMessageBytes); got {size}.");
    }

    /// <summary>An item, and the bytes that it takes in a message with several items.</summary>
    private readonly record struct Entry(T Item, int Bytes);
}
