using System.Collections.Concurrent;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Admission;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>The items of a stream: the form in which they were sent, and their memory.</summary>
internal interface IStreamItems
{
    /// <summary>True if a message has items that have not been read yet.</summary>
    bool HoldsItems { get; }

    /// <summary>Returns the number of items of the next message to be answered; 0 for a message that is one item.</summary>
    int NextGroup();

    /// <summary>
    /// Returns the charge of the item that was read last, or null if it has none. The caller disposes it when the item has been
    /// processed.
    /// </summary>
    IDisposable? Take();
}

/// <summary>The requests of a stream one item at a time.</summary>
/// <param name="messages">The messages, each with one item or several.</param>
/// <param name="charges">Memory of the messages; null without admission.</param>
/// <param name="received">Called with each item before it is read; null for none.</param>
internal sealed class ItemReader<T>(IAsyncStreamReader<T> messages, IMessageCharges? charges, Action<T>? received = null)
    : IAsyncStreamReader<T>, IStreamItems, IDisposable
    where T : class, IMessage<T>, V1.IStreamMessage<T>
{
    private static readonly Task<bool> True = Task.FromResult(true);

    // Items of each message that has not been answered; 0 for a message that is one item.
    private readonly ConcurrentQueue<int> _groups = new();
    private T?[] _items = [];
    private int _next;
    private MessageCharge? _charge;

    public T Current { get; private set; } = null!;

    /// <inheritdoc/>
    public bool HoldsItems => Volatile.Read(ref _next) < _items.Length;

    public Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (HoldsItems)
        {
            TakeNext();
            return True;
        }
        var moved = messages.MoveNext(cancellationToken);
        if (!moved.IsCompletedSuccessfully)
        {
            return ReadAsync(moved);
        }
        if (moved.Result)
        {
            Received();
        }
        return moved;
    }

    /// <inheritdoc/>
    public int NextGroup() =>
        _groups.TryDequeue(out var items) ? items : throw new InvalidOperationException("A response without a request.");

    /// <inheritdoc/>
    public IDisposable? Take()
    {
        if (_charge is not { } charge)
        {
            return null;
        }
        var share = charge.Share(Current.CalculateSize());
        if (!HoldsItems)
        {
            _charge = null;
            charge.Dispose();
        }
        return share;
    }

    /// <summary>Releases the memory of items that have not been taken.</summary>
    public void Dispose() => _charge?.Dispose();

    private async Task<bool> ReadAsync(Task<bool> moved)
    {
        if (!await moved)
        {
            return false;
        }
        Received();
        return true;
    }

    private void Received()
    {
        _charge = charges?.Take();
        var message = messages.Current;
        if (message.Items.Count == 0)
        {
            _items = [];
            _next = 0;
            _groups.Enqueue(0);
            Current = message;
            received?.Invoke(message);
            return;
        }
        Require(message);
        _items = [.. message.Items];
        _next = 0;
        message.Items.Clear();
        if (message.CalculateSize() > 0)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid, "items", "A request with items must have no other fields; set them in each of the items.");
        }
        _groups.Enqueue(_items.Length);
        TakeNext();
    }

    private static void Require(T message)
    {
        if (message.Items.Count > V1.StreamMessages.MaxItems)
        {
            throw Fault.Invalid(
                Reasons.FieldTooLong,
                "items",
                $"items must contain at most {V1.StreamMessages.MaxItems} elements; got {message.Items.Count}.")
                .With(FaultKeys.Limit, V1.StreamMessages.MaxItems)
                .With(FaultKeys.Actual, message.Items.Count);
        }
        if (message.CalculateSize() is > V1.StreamMessages.MaxBytes and var bytes)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.MessageTooLarge,
                $"A request with items must have at most {V1.StreamMessages.MaxBytes} bytes; got {bytes}. Send fewer items per "
                + "request; a request with one item may be larger.")
                .With(FaultKeys.Limit, V1.StreamMessages.MaxBytes)
                .With(FaultKeys.Actual, bytes);
        }
        for (var i = 0; i < message.Items.Count; i++)
        {
            if (message.Items[i].Items.Count > 0)
            {
                throw Fault.Invalid(
                    Reasons.FieldInvalid, $"items[{i}].items", $"items[{i}].items must be empty: items cannot have items of their own.");
            }
        }
    }

    private void TakeNext()
    {
        var next = _next;
        Current = _items[next]!;
        received?.Invoke(Current);
        // Pixels must not stay in memory longer than their time in the queue.
        _items[next] = null;
        Volatile.Write(ref _next, next + 1);
    }
}
