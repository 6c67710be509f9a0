using System.Threading.Channels;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>A response whose work has been started.</summary>
internal readonly record struct PendingResponse<TResponse>(Task<TResponse> Completion);

/// <summary>
/// A bidirectional stream whose responses have the order of its requests: one reader starts work and puts the pending
/// response in a bounded channel, one writer awaits the responses in order. This gives order, backpressure, and a
/// single writer (gRPC allows one write at a time).
/// </summary>
internal static class OrderedStream
{
    // States of the reader.
    private const int Working = 0;
    private const int Waiting = 1;
    private const int Stopped = 2;

    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);

    /// <summary>Runs the stream to its end.</summary>
    /// <param name="requests">The requests of the client.</param>
    /// <param name="responses">The responses to the client.</param>
    /// <param name="start">
    /// Starts the work on a request, and completes when the next request may be read. Neither this nor the pending
    /// response may fail.
    /// </param>
    /// <param name="maxPending">Maximum number of requests that are read before their responses are written.</param>
    /// <param name="stopping">Canceled when the server shuts down: requests that were read get responses, and the
    /// stream ends with a cancellation.</param>
    /// <param name="cancellationToken">Canceled when the client has disconnected, or its deadline has passed.</param>
    /// <param name="readingEnded">Called when no more requests are read, before the last responses are written.</param>
    public static async Task RunAsync<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        Func<TRequest, CancellationToken, ValueTask<PendingResponse<TResponse>>> start,
        int maxPending,
        CancellationToken stopping,
        CancellationToken cancellationToken,
        Action? readingEnded = null)
    {
        var pending = Channel.CreateBounded<PendingResponse<TResponse>>(
            new BoundedChannelOptions(maxPending) { SingleReader = true });
        using var writerFailed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var unwanted = writerFailed.Token;

        // A read that waits for the client is not canceled at shutdown: gRPC may end such a call with INTERNAL, or not
        // at all. The read is abandoned and ends with the call. A request that has been read gets a response.
        var state = Working;
        using var stopped = stopping.UnsafeRegister(
            _ =>
            {
                if (Interlocked.Exchange(ref state, Stopped) == Waiting)
                {
                    pending.Writer.TryComplete(new OperationCanceledException());
                }
            },
            null);
        var reading = ReadAsync();
        try
        {
            await WriteAllAsync(pending.Reader, responses, cancellationToken);
            await reading;
        }
        catch
        {
            // Responses can no longer be sent: work that has not run is dropped.
            await writerFailed.CancelAsync();
            throw;
        }

        async Task ReadAsync()
        {
            Exception? end = null;
            try
            {
                while (Interlocked.CompareExchange(ref state, Waiting, Working) == Working)
                {
                    var more = await requests.MoveNext(CancellationToken.None);
                    if (Interlocked.CompareExchange(ref state, Working, Waiting) != Waiting)
                    {
                        // Abandoned.
                        return;
                    }
                    if (!more)
                    {
                        pending.Writer.Complete();
                        return;
                    }
                    var work = await start(requests.Current, unwanted);
                    await pending.Writer.WriteAsync(work, unwanted);
                }
                end = new OperationCanceledException();
            }
            catch (Exception e)
            {
                // The writer gets it after the responses to all earlier requests.
                end = e;
            }
            finally
            {
                readingEnded?.Invoke();
            }
            pending.Writer.TryComplete(end);
        }
    }

    private static async Task WriteAllAsync<TResponse>(
        ChannelReader<PendingResponse<TResponse>> pending,
        IServerStreamWriter<TResponse> responses,
        CancellationToken cancellationToken)
    {
        while (await pending.WaitToReadAsync(cancellationToken))
        {
            while (pending.TryRead(out var work))
            {
                var response = await work.Completion;
                // If more responses are ready, they share a write to the connection.
                responses.WriteOptions = pending.TryPeek(out var next) && next.Completion.IsCompleted ? Buffered : null;
                // Without the token: writes of a canceled call fail anyway, and a registration per response would cost
                // time.
                await responses.WriteAsync(response);
            }
        }
    }
}
