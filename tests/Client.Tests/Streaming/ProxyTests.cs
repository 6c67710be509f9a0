using Embeddings.Client.Tests.Doubles;
using Grpc.Core;

namespace Embeddings.Client.Tests.Streaming;

/// <summary>Streams through HAProxy.</summary>
public sealed class ProxyTests
{
    [Fact]
    public async Task ASourceThatPausesLongerThanTheProxyWaitsLosesNoItem()
    {
        Assert.SkipWhen(Proxy.Program is null, "haproxy is not installed");
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = (requests, responses, context) =>
            {
                Interlocked.Increment(ref connections);
                return Behaviour.EchoAsync(requests, responses, context);
            },
        });
        using var proxy = await Proxy.StartAsync(server);
        using var client = proxy.Client();
        var source = new Source(20)
        {
            Before = (i, cancellationToken) =>
                i is 5 or 15 ? Task.Delay(TimeSpan.FromSeconds(3.5), cancellationToken) : Task.CompletedTask,
        };

        Source.AssertAnswered(20, await client.StreamEmbedAsync(source.ItemsAsync()).ToListAsync());

        Assert.Equal(3, connections);
    }

    [Fact]
    public async Task ItemsWithoutAnAnswerWhenTheProxyEndsTheStreamAreResent()
    {
        Assert.SkipWhen(Proxy.Program is null, "haproxy is not installed");
        var connections = 0;
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnStreamEmbed = async (requests, responses, context) =>
            {
                if (Interlocked.Increment(ref connections) == 3)
                {
                    await Behaviour.EchoAsync(requests, responses, context);
                    return;
                }

                await foreach (var request in requests.ReadItemsAsync().Take(7))
                {
                    await responses.WriteAsync(Behaviour.Answer(request));
                }

                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            },
        });
        using var proxy = await Proxy.StartAsync(server);
        using var client = proxy.Client();

        Source.AssertAnswered(20, await client.StreamEmbedAsync(new Source(20).ItemsAsync()).ToListAsync());

        Assert.Equal(3, connections);
    }
}
