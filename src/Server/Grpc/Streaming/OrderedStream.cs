using System.Threading.Channels;
using Grpc.Core;

namespace Embeddings.Server.Grpc.Streaming;

/// <summary>
/// A bidirectional stream whose answers come in the order of its requests: one reader starts work and puts its task in a bounded channel, one writer awaits
/// the tasks in order. That gives order, backpressure and a single writer at once (gRPC allows one write at a time).
/// </summary>
internal static class OrderedStream
{
    // What the reader is at.
    private const int Working = 0;
    private const int Waiting = 1;
    private const int Stopped = 2;

    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);

    /// <param name="requests">What the client sends.</param>
    /// <param name="responses">What it gets.</param>
    /// <param name="start">
    /// Starts the work on a request. The outer task ends when the next request may be read, the inner one with the answer; neither may fail.
    /// </param>
    /// <param name="maxPending">Requests that are read ahead of the answers written.</param>
    /// <param name="stopping">Cancelled when the server shuts down: what was read is answered, and the stream ends with a cancellation.</param>
    /// <param name="cancellationToken">Cancelled when the client has gone, or its deadline has passed.</param>
    public static async Task RunAsync<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requests,
        IServerStreamWriter<TResponse> responses,
        Func<TRequest, CancellationToken, ValueTask<Task<TResponse>>> start,
        int maxPending,
        CancellationToken stopping,
        CancellationToken cancellationToken)
    {
        var pending = Channel.CreateBounded<Task<TResponse>>(new BoundedChannelOptions(maxPending) { SingleReader = true });
        using var writerFailed = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var unwanted = writerFailed.Token;

        // A read that waits for the client is not cancelled at shutdown: gRPC may answer that with INTERNAL, or not at all. It is left behind, and ends with
        // the call. A request that has been read is answered.
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
            // Nobody takes answers any more: what has not run is dropped.
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
                        // Left behind.
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
                // The writer sees it after the answers to all that was read before.
                end = e;
            }
            pending.Writer.TryComplete(end);
        }
    }

    private static async Task WriteAllAsync<TResponse>(ChannelReader<Task<TResponse>> pending, IServerStreamWriter<TResponse> responses, CancellationToken cancellationToken)
    {
        while (await pending.WaitToReadAsync(cancellationToken))
        {
            while (pending.TryRead(out var work))
            {
                var response = await work;
                // More answers are ready: let them share a write to the connection.
                responses.WriteOptions = pending.TryPeek(out var next) && next.IsCompleted ? Buffered : null;
                // Without the token: a call that is cancelled fails its writes by itself, and a registration for each answer would only cost.
                await responses.WriteAsync(response);
            }
        }
    }
}
