using System.Collections.Concurrent;
using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Grpc.Core;

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
    }

    [Theory]
    [InlineData(Break.Abort, 1)]
    [InlineData(Break.Abort, 64)]
    [InlineData(Break.Unavailable, 1)]
    [InlineData(Break.Unavailable, 64)]
    [InlineData(Break.Cancelled, 64)]
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
                await foreach (var request in requests.ReadAllAsync())
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
                    await responses.WriteAsync(Behaviour.Answer(requests.Current));
                    throw new RpcException(new Status(StatusCode.Unavailable, "one each"));
                }
            },
        });
        var time = new HurriedTime();
        using var client = server.Client(options => options with { MaxReconnects = 1 }, time);

        Source.AssertAnswered(20, await client.StreamEmbedAsync(new Source(20).ItemsAsync()).ToListAsync());
        Assert.All(time.Waits, wait => Assert.True(wait <= TimeSpan.FromMilliseconds(100)));
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.Internal)]
    [InlineData(StatusCode.ResourceExhausted)]
    public async Task ErrorsReturnedByTheServerAreNotRetried(StatusCode status)
    {
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (_, _, _) =>
            {
                Interlocked.Increment(ref connections);
                throw new RpcException(new Status(status, "no"));
            },
        });
        using var client = server.Client(time: new HurriedTime());

        var error = await Assert.ThrowsAsync<EmbeddingsException>(
            () => client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync().AsTask());

        Assert.Equal((status, "no", 1), (error.Status, error.Message, connections));
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
            default:
                throw new RpcException(new Status(StatusCode.Cancelled, "shutting down"));
        }
    }
}
