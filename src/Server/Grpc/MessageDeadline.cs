using System.IO.Pipelines;
using Embeddings.Server.Hosting;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace Embeddings.Server.Grpc;

/// <summary>
/// Limits the time from the first byte of a message to its last (<c>Server:MessageReadSeconds</c>). Kestrel's minimum
/// data rate is no substitute: gRPC disables it for streams, and for unary calls it closes the connection with all other
/// calls on it.
/// </summary>
/// <remarks>
/// The body of a request as gRPC reads it. gRPC leaves a part of a message in the reader and marks it as examined, and it
/// removes a complete message, so the position tells when a message has begun without parsing it. A message that arrives
/// at once costs no timer.
/// </remarks>
internal sealed class MessageDeadline(PipeReader body, bool unary, TimeSpan limit, HttpContext context, TimeProvider time)
    : PipeReader, IRequestBodyPipeFeature, IDisposable
{
    // Time in which the error must reach the client; then the call is aborted.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);

    private readonly Lock _lock = new();
    private ITimer? _timer;
    private bool _armed;
    private bool _disposed;
    private long _began;

    /// <summary>True if a message took too long; its call then fails in gRPC as a read that was canceled.</summary>
    public bool Expired { get; private set; }

    public PipeReader Reader => this;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
        unary ? ReadUnaryAsync(cancellationToken) : body.ReadAsync(cancellationToken);

    public override bool TryRead(out ReadResult result) => body.TryRead(out result);

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (!consumed.Equals(examined))
        {
            Begin();
        }
        else if (!unary)
        {
            Volatile.Write(ref _began, 0);
        }
        body.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => body.CancelPendingRead();

    public override void Complete(Exception? exception = null) => body.Complete(exception);

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _timer?.Dispose();
        }
    }

    // The request of a unary call is complete at the end of the body, and the call waits for it from the start.
    private async ValueTask<ReadResult> ReadUnaryAsync(CancellationToken cancellationToken)
    {
        var read = body.ReadAsync(cancellationToken);
        if (!read.IsCompleted)
        {
            Begin();
        }
        var result = await read;
        if (result.IsCompleted)
        {
            Volatile.Write(ref _began, 0);
        }
        return result;
    }

    private void Begin()
    {
        if (Volatile.Read(ref _began) != 0)
        {
            return;
        }
        // Zero means that no message has begun.
        Volatile.Write(ref _began, Math.Max(1, time.GetTimestamp()));
        lock (_lock)
        {
            // One timer serves all messages: it is set again when it fires, not for each message.
            if (!_armed && !_disposed)
            {
                _armed = true;
                _timer ??= time.CreateTimer(_ => Check(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timer.Change(limit, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void Check()
    {
        lock (_lock)
        {
            var began = Volatile.Read(ref _began);
            if (_disposed || began == 0)
            {
                _armed = false;
                return;
            }
            var left = Expired ? TimeSpan.Zero : limit - time.GetElapsedTime(began);
            if (left > TimeSpan.Zero)
            {
                _timer!.Change(left, Timeout.InfiniteTimeSpan);
            }
            else if (Expired)
            {
                // The client does not read either, so the error cannot be sent.
                context.Abort();
            }
            else
            {
                Expired = true;
                _timer!.Change(Grace, Timeout.InfiniteTimeSpan);
                body.CancelPendingRead();
            }
        }
    }
}

/// <summary>Sets the <see cref="MessageDeadline"/> of each gRPC call.</summary>
internal sealed class MessageDeadlines(RequestDelegate next, ServerOptions options, TimeProvider time)
{
    private readonly TimeSpan _limit = TimeSpan.FromSeconds(options.MessageReadSeconds);

    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is not { } method)
        {
            await next(context);
            return;
        }
        var unary = method.Method.Type is MethodType.Unary or MethodType.ServerStreaming;
        using var deadline = new MessageDeadline(context.Request.BodyReader, unary, _limit, context, time);
        context.Features.Set<IRequestBodyPipeFeature>(deadline);
        context.Features.Set(deadline);
        await next(context);
    }
}
