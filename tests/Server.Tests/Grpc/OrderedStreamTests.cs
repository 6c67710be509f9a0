using System.Threading.Channels;
using Embeddings.Server.Grpc.Streaming;
using Grpc.Core;

namespace Embeddings.Server.Tests.Grpc;

public sealed class OrderedStreamTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private readonly Channel<int> _requests = Channel.CreateUnbounded<int>();
    private readonly Sink _responses = new();

    [Fact]
    public async Task Responses_have_the_order_of_the_requests()
    {
        var work = Enumerable.Range(0, 50).Select(_ => new TaskCompletionSource()).ToArray();
        var allRead = new TaskCompletionSource();
        var stream = Run(maxPending: 100, async (request, _) =>
        {
            if (request == work.Length - 1)
            {
                allRead.SetResult();
            }
            await work[request].Task;
            return request;
        });
        Send(Enumerable.Range(0, work.Length));
        _requests.Writer.Complete();
        await allRead.Task.WaitAsync(Soon);
        foreach (var item in work.Reverse())
        {
            item.SetResult();
        }
        await stream.WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(0, work.Length), _responses.Written);
    }

    [Fact]
    public async Task Reading_stops_while_responses_are_pending()
    {
        // Ten in the channel, one with the writer, one that waits for room.
        const int Most = 12;
        var started = 0;
        var pending = 0;
        var full = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        var stream = Run(maxPending: 10, async (request, _) =>
        {
            started++;
            pending = Math.Max(pending, started - _responses.Written.Count);
            if (started == Most)
            {
                full.SetResult();
            }
            await release.Task;
            return request;
        });
        Send(Enumerable.Range(0, 100));
        _requests.Writer.Complete();
        await full.Task.WaitAsync(Soon);
        release.SetResult();
        await stream.WaitAsync(Soon);
        Assert.Equal(100, _responses.Written.Count);
        Assert.Equal(Most, pending);
    }

    [Fact]
    public async Task A_failed_read_ends_the_stream_after_the_responses_to_earlier_requests()
    {
        var stream = Run(maxPending: 10, (request, _) => Task.FromResult(request));
        Send([1, 2, 3]);
        _requests.Writer.Complete(new IOException("gone"));
        await Assert.ThrowsAsync<IOException>(() => stream.WaitAsync(Soon));
        Assert.Equal([1, 2, 3], _responses.Written);
    }

    [Fact]
    public async Task A_failed_write_cancels_the_work_and_ends_the_stream()
    {
        var cancelled = new TaskCompletionSource();
        _responses.FailAfter = 1;
        var stream = Run(maxPending: 10, async (request, token) =>
        {
            if (request == 3)
            {
                try
                {
                    await Task.Delay(Timeout.Infinite, token);
                }
                catch (OperationCanceledException)
                {
                    cancelled.SetResult();
                    throw;
                }
            }
            return request;
        });
        Send([1, 2, 3]);
        await Assert.ThrowsAsync<IOException>(() => stream.WaitAsync(Soon));
        await cancelled.Task.WaitAsync(Soon);
    }

    [Fact]
    public async Task Shutdown_sends_the_responses_to_requests_that_were_read_and_then_ends()
    {
        using var stopping = new CancellationTokenSource();
        var release = new TaskCompletionSource();
        var bothRead = new TaskCompletionSource();
        var stream = Run(
            maxPending: 10,
            async (request, _) =>
            {
                if (request == 2)
                {
                    bothRead.SetResult();
                }
                await release.Task;
                return request;
            },
            stopping.Token);
        Send([1, 2]);
        await bothRead.Task.WaitAsync(Soon);
        await stopping.CancelAsync();
        release.SetResult();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stream.WaitAsync(Soon));
        Assert.Equal([1, 2], _responses.Written);
    }

    [Fact]
    public async Task Turns_are_taken_in_the_order_in_which_they_were_requested()
    {
        var order = new StreamOrder();
        var taken = new List<int>();
        var turns = Enumerable.Range(0, 20).Select(i => (Number: i, Turn: order.Enter())).ToList();
        await Task.WhenAll(turns.AsEnumerable().Reverse().Select(async entry =>
        {
            using (entry.Turn)
            {
                await Task.Yield();
                if (entry.Number % 5 == 4)
                {
                    // Ends its turn without waiting, as a failed item does.
                    return;
                }
                await entry.Turn.Previous;
                taken.Add(entry.Number);
            }
        })).WaitAsync(Soon);
        Assert.Equal(Enumerable.Range(0, 20).Where(i => i % 5 != 4), taken);
    }

    private Task Run(int maxPending, Func<int, CancellationToken, Task<int>> work, CancellationToken stopping = default) =>
        OrderedStream.RunAsync(
            new Source(_requests.Reader),
            _responses,
            (int request, CancellationToken token) => ValueTask.FromResult(new PendingResponse<int>(work(request, token))),
            maxPending,
            stopping,
            default);

    private void Send(IEnumerable<int> requests)
    {
        foreach (var request in requests)
        {
            Assert.True(_requests.Writer.TryWrite(request));
        }
    }

    private sealed class Source(ChannelReader<int> reader) : IAsyncStreamReader<int>
    {
        public int Current { get; private set; }

        public async Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            if (!await reader.WaitToReadAsync(cancellationToken))
            {
                return false;
            }
            Current = await reader.ReadAsync(cancellationToken);
            return true;
        }
    }

    private sealed class Sink : IServerStreamWriter<int>
    {
        private int _writing;

        public List<int> Written { get; } = [];

        public int FailAfter { get; set; } = int.MaxValue;

        public WriteOptions? WriteOptions { get; set; }

        public async Task WriteAsync(int message)
        {
            Assert.Equal(1, Interlocked.Increment(ref _writing));
            await Task.Yield();
            if (Written.Count == FailAfter)
            {
                throw new IOException("the client is gone");
            }
            Written.Add(message);
            Interlocked.Decrement(ref _writing);
        }

        public Task WriteAsync(int message, CancellationToken cancellationToken) => WriteAsync(message);
    }
}
