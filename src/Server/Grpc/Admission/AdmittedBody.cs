using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Embeddings.Core.Memory;
using Embeddings.Primitives;
using Embeddings.Server.Grpc.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace Embeddings.Server.Grpc.Admission;

/// <summary>
/// The body of a call: messages, each behind a flag and its length. gRPC reads a message until it is complete, then parses it and
/// advances past it. Of a message that is incomplete or large, no more is read before it has been admitted: twice its bytes, for
/// the buffers and for the parsed form, and the objects that it becomes. Streams wait, which stops the client by flow control;
/// unary calls fail. The charge of a unary call is released when the call ends, that of a stream's message when its items have been
/// processed (<see cref="Take"/>).
/// Complete small messages, which are the many, cost the reading of their length.
/// </summary>
/// <param name="inner">The body.</param>
/// <param name="rule">The rule of the method.</param>
/// <param name="memory">The budget.</param>
/// <param name="caller">The caller, for a fair share of it.</param>
/// <param name="aborted">Canceled when the client has gone.</param>
internal sealed class AdmittedBody(
    PipeReader inner, MessageRule rule, MemoryBudget memory, object caller, CancellationToken aborted)
    : PipeReader, IRequestBodyPipeFeature, IMessageCharges
{
    private const int HeaderBytes = 5;

    private readonly Lock _lock = new();
    private ReadOnlySequence<byte> _buffer;
    // Of the message at the beginning of the buffer; -1 until its header has been read.
    private long _length = -1;
    private bool _isComplete;
    private bool _mustEnter;
    // Memory of the message, if it has been admitted.
    private Charge? _charge;
    // That of the message before it, which has been parsed and not taken.
    private Charge? _parsed;
    private CancellationTokenSource? _waiting;
    private bool _isReleased;

    PipeReader IRequestBodyPipeFeature.Reader => this;

    private bool IsSmall => _length <= MemoryBudget.SmallBytes;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (!_mustEnter)
        {
            var read = inner.ReadAsync(cancellationToken);
            if (!read.IsCompletedSuccessfully)
            {
                return InspectAsync(read);
            }
            var result = read.Result;
            if (Inspect(result))
            {
                return new(result);
            }
            return InspectAsync(new(result));
        }
        return EnterAndReadAsync(cancellationToken);
    }

    public override bool TryRead(out ReadResult result)
    {
        // Used for the rest of the body after the call, not for messages.
        var read = inner.TryRead(out result);
        _buffer = result.Buffer;
        return read;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        // Messages are consumed as a whole.
        var isConsumed = _isComplete && !consumed.Equals(_buffer.Start);
        _buffer = default;
        inner.AdvanceTo(consumed, examined);
        if (isConsumed)
        {
            OnParsed();
        }
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    /// <summary>Releases what the call holds; called when it has ended, possibly while a read of it still waits.</summary>
    public void Release()
    {
        lock (_lock)
        {
            _isReleased = true;
            Exit();
            ExitParsed();
            _waiting?.Cancel();
        }
    }

    // The message has been parsed, and its buffers have been returned.
    private void OnParsed()
    {
        if (_charge is not null)
        {
            lock (_lock)
            {
                // An image that waits to be decoded has a copy in libvips: the charge of a unary call stays as it is.
                if (IsSmall || rule is { IsStream: true, HasItems: false })
                {
                    Exit();
                }
                else if (rule.IsStream)
                {
                    ExitParsed();
                    _parsed = _charge;
                    _charge = null;
                }
            }
        }
        _length = -1;
        _isComplete = false;
    }

    /// <inheritdoc/>
    public MessageCharge? Take()
    {
        lock (_lock)
        {
            if (_parsed is not { } charge)
            {
                return null;
            }
            _parsed = null;
            return new(memory, charge);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> EnterAndReadAsync(CancellationToken cancellationToken)
    {
        await EnterAsync();
        return await InspectAsync(inner.ReadAsync(cancellationToken));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> InspectAsync(ValueTask<ReadResult> read)
    {
        var result = await read;
        if (!Inspect(result))
        {
            try
            {
                await EnterAsync();
            }
            catch
            {
                inner.AdvanceTo(result.Buffer.Start);
                throw;
            }
            Inspect(result);
        }
        return result;
    }

    /// <summary>Returns false if the message must be admitted before the result may be used.</summary>
    private bool Inspect(in ReadResult result)
    {
        _buffer = result.Buffer;
        var available = _buffer.Length;
        if (_length < 0 && available >= HeaderBytes)
        {
            ReadHeader();
        }
        if (_length < 0)
        {
            return true;
        }
        _isComplete = available - HeaderBytes >= _length;
        if (_charge is null && (!_isComplete || !IsSmall))
        {
            _mustEnter = true;
            // What has arrived may be looked at: the next read waits for the admission.
            return !_isComplete;
        }
        if (_isComplete && !IsSmall)
        {
            Weigh();
        }
        return true;
    }

    private void ReadHeader()
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        _buffer.Slice(0, HeaderBytes).CopyTo(header);
        _length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (_length > rule.MaxBytes)
        {
            throw Refused(rule.TooLarge().With(FaultKeys.Actual, _length));
        }
        var most = memory.Messages.Largest / 2;
        if (_length > most)
        {
            throw Refused(FaultStatus.TooLarge(most, "Memory:LimitBytes").With(FaultKeys.Actual, _length));
        }
    }

    private async ValueTask EnterAsync()
    {
        var charge = new Charge(2 * _length, Math.Max(_length, 1), 2 * _length > MemoryBudget.MediumBytes);
        if (!rule.IsStream)
        {
            if (!memory.Messages.TryEnter(ref charge, caller))
            {
                throw FaultStatus.ToException(FaultStatus.MemoryFull());
            }
        }
        else if (!memory.Messages.TryEnter(charge))
        {
            // Not the token of the read: streams are read without one.
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(aborted);
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_isReleased, this);
                _waiting = waiting;
            }
            try
            {
                await memory.Messages.EnterAsync(charge, caller, waiting.Token);
            }
            finally
            {
                lock (_lock)
                {
                    _waiting = null;
                }
            }
        }
        lock (_lock)
        {
            _mustEnter = false;
            _charge = charge;
            if (_isReleased)
            {
                Exit();
            }
        }
    }

    // Adds the objects that the message becomes to its charge.
    private void Weigh()
    {
        if (rule.Shape is null || _buffer.FirstSpan[0] != 0)
        {
            return;
        }
        long weight;
        var largest = memory.Messages.Largest;
        try
        {
            weight = rule.Shape.Weigh(_buffer.Slice(HeaderBytes, _length), largest - (2 * _length));
        }
        catch (Fault fault)
        {
            throw Refused(fault);
        }
        if (weight <= MemoryBudget.SmallBytes)
        {
            return;
        }
        if ((2 * _length) + weight > largest)
        {
            throw Refused(new Fault(
                FaultKind.ResourceExhausted,
                Reasons.MessageTooLarge,
                $"The message has too many elements for its memory of {largest} bytes (Memory:LimitBytes); send less per message.")
                .With(FaultKeys.Limit, largest)
                .With(FaultKeys.Actual, (2 * _length) + weight)
                .With(FaultKeys.Setting, "Memory:LimitBytes"));
        }
        lock (_lock)
        {
            if (_charge is not { } charge)
            {
                return;
            }
            if (!memory.Messages.TryResize(ref charge, (2 * _length) + weight))
            {
                throw Refused(FaultStatus.MemoryFull());
            }
            _charge = charge;
        }
    }

    // gRPC advances only if it got a result.
    private Exception Refused(Fault fault)
    {
        inner.AdvanceTo(_buffer.Start);
        _buffer = default;
        return FaultStatus.ToException(fault);
    }

    private void ExitParsed()
    {
        if (_parsed is { } charge)
        {
            _parsed = null;
            memory.Messages.Exit(charge);
        }
    }

    private void Exit()
    {
        if (_charge is { } charge)
        {
            _charge = null;
            if (!rule.IsStream)
            {
                memory.Discard(charge.Bytes / 2);
            }
            memory.Messages.Exit(charge);
        }
    }
}
