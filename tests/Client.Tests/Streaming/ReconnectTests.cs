using System.Collections.Concurrent;
using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Status = Grpc.Core.Status;

namespace Embeddings.Client.Tests.Streaming;

public sealed class ReconnectTests
{
    /// <summary>Ways in which a server double breaks a connection.</summary>
    public enum Break
    {
        /// <summary>An HTTP/2 stream reset.</summary>
        Abort,

        /// <summary>A server that returns UNAVAILABLE.</summary>
        Unavailable,

        /// <summary>A call canceled by the server's shutdown.</summary>
        Cancelled,

        /// <summary>INTERNAL from something else than the service, which would give a reason.</summary>
        Internal,

        /// <summary>UNKNOWN from something else than the service, which would give a reason.</summary>
        Unknown,
    }

    [Theory]
    [InlineData(Break.Abort, 1)]
    [InlineData(Break.Abort, 64)]
    [InlineData(Break.Unavailable, 1)]
    [InlineData(Break.Unavailable, 64)]
    [InlineData(Break.Cancelled, 64)]
    [InlineData(Break.Internal, 64)]
    [InlineData(Break.Unknown, 64)]
    public async Task EveryItemIsAnsweredOnceAlthoughTheConnectionBreaksRepeatedly(Break how, int maxInFlight)
    {
        var random = new Random(1234);
        var connections = 0;
        var received = new ConcurrentDictionary<string, int>();
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, context) =>
            {
                // The eighth connection is stable. Earlier ones read some items, answer fewer of them, and break.
                if (Interlocked.Increment(ref connections) == 8)
                {
                    await Behaviour.EchoAsync(requests, responses, context);
                    return;
                }

                var answers = random.Next(0, 40);
                await foreach (var request in requests.ReadItemsAsync())
                {
                    received.AddOrUpdate(request.ItemId, 1, (_, times) => times + 1);
                    if (answers-- == 0)
                    {
                        BreakNow(how, context);
                        return;
                    }

                    await responses.WriteAsync(Behaviour.Answer(request));
                }
            },
        });
        var time = new HurriedTime();
        using var client = server.Client(options => options with { MaxInFlight = maxInFlight }, time);

        var responses = await client.StreamEmbedAsync(new Source(500).ItemsAsync()).ToListAsync();

        Source.AssertAnswered(500, responses);
        Assert.Equal(8, connections);
        Assert.Contains(received.Values, times => times > 1);
        Assert.Equal(7, time.Waits.Count);
    }

    [Fact]
    public async Task TheClientReconnectsToARestartedServer()
    {
        var server = await ServerDouble.StartAsync();
        using var client = server.Client(options => options with
        {
            MaxInFlight = 4,
            MaxReconnects = 1000,
            ReconnectDelay = TimeSpan.FromMilliseconds(5),
            MaxReconnectDelay = TimeSpan.FromMilliseconds(20),
        });
        var responses = new List<StreamEmbedResponse>();
        ServerDouble? second = null;

        await foreach (var response in client.StreamEmbedAsync(new Source(100).ItemsAsync()))
        {
            responses.Add(response);
            if (responses.Count == 50)
            {
                await server.DisposeAsync();
                second = await ServerDouble.StartAsync(port: server.Port);
            }
        }

        Source.AssertAnswered(100, responses);
        await second!.DisposeAsync();
    }

    [Fact]
    public async Task TheStreamFailsAfterTheMaximumNumberOfReconnects()
    {
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (_, _, _) =>
            {
                Interlocked.Increment(ref connections);
                throw new RpcException(new Status(StatusCode.Unavailable, "not now"));
            },
        });
        var time = new HurriedTime();
        using var client = server.Client(options => options with { MaxReconnects = 3 }, time);

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync().AsTask());

        Assert.Equal((StatusCode.Unavailable, "not now"), (error.Status, error.Message));
        Assert.Equal(4, connections);
        Assert.Equal(3, time.Waits.Count);
    }

    [Fact]
    public async Task AResponseResetsTheNumberOfReconnects()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, _) =>
            {
                if (await requests.MoveNext())
                {
                    await responses.WriteAsync(Behaviour.Answer(StreamItems.Of(requests.Current)[0]));
                    throw new RpcException(new Status(StatusCode.Unavailable, "one each"));
                }
            },
        });
        var time = new HurriedTime();
        using var client = server.Client(options => options with { MaxReconnects = 1 }, time);

        Source.AssertAnswered(20, await client.StreamEmbedAsync(new Source(20).ItemsAsync()).ToListAsync());
        Assert.All(time.Waits, wait => Assert.True(wait <= TimeSpan.FromMilliseconds(100)));
    }

    [Fact]
    public async Task ASlowSourceDoesNotCostReconnects()
    {
        var connections = 0;
        var broken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            // The first connection breaks while the source pauses, as with a proxy's time limit on idle streams.
            OnStreamEmbed = (requests, responses, context) =>
            {
                Interlocked.Increment(ref connections);
                return broken.TrySetResult()
                    ? throw new RpcException(new Status(StatusCode.Unavailable, "idle"))
                    : Behaviour.EchoAsync(requests, responses, context);
            },
        });
        using var client = server.Client(options => options with { MaxReconnects = 1 }, new HurriedTime());
        var next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var reading = client.StreamEmbedAsync(new Source(5) { Before = (_, _) => next.Task }.ItemsAsync()).ToListAsync().AsTask();
        await broken.Task;
        // Time in which a client that reconnects without an item would have done so.
        for (var i = 0; i < 100; i++)
        {
            await client.CountVectorsAsync("c");
        }

        Assert.Equal(1, connections);
        next.SetResult();

        Source.AssertAnswered(5, await reading);
        Assert.Equal(2, connections);
    }

    [Fact]
    public async Task WithoutReconnectsABrokenConnectionEndsTheStream()
    {
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (_, _, context) =>
            {
                Interlocked.Increment(ref connections);
                context.GetHttpContext().Abort();
                return Task.CompletedTask;
            },
        });
        using var client = server.Client(options => options with { MaxReconnects = 0 });
        var source = new Source(5) { Before = (_, cancellationToken) => Task.Delay(Timeout.Infinite, cancellationToken) };

        await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(source.ItemsAsync()).ToListAsync().AsTask());

        Assert.Equal(1, connections);
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.Internal)]
    [InlineData(StatusCode.Unknown)]
    [InlineData(StatusCode.Cancelled)]
    [InlineData(StatusCode.ResourceExhausted)]
    public async Task ErrorsThatTheServiceStatesAreNotRetried(StatusCode status)
    {
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (_, _, _) =>
            {
                Interlocked.Increment(ref connections);
                throw Stated(status);
            },
        });
        using var client = server.Client(time: new HurriedTime());

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync().AsTask());

        Assert.Equal((status, "STATED", 1), (error.Status, error.Reason, connections));
    }

    private static void BreakNow(Break how, ServerCallContext context)
    {
        switch (how)
        {
            case Break.Abort:
                context.GetHttpContext().Abort();
                break;
            case Break.Unavailable:
                throw new RpcException(new Status(StatusCode.Unavailable, "going away"));
            case Break.Cancelled:
                throw new RpcException(new Status(StatusCode.Cancelled, "shutting down"));
            case Break.Internal:
                throw new RpcException(new Status(StatusCode.Internal, "stream terminated by RST_STREAM"));
            default:
                throw new RpcException(new Status(StatusCode.Unknown, "stream terminated"));
        }
    }

    private static RpcException Stated(StatusCode status)
    {
        var details = new Google.Rpc.Status { Details = { Any.Pack(new ErrorInfo { Reason = "STATED" }) } };
        return new RpcException(
            new Status(status, "no"), new Metadata { { "grpc-status-details-bin", details.ToByteArray() } });
    }
}
