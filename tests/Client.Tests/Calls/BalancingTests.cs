using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;

namespace Embeddings.Client.Tests.Calls;

public sealed class BalancingTests
{
    [Fact]
    public async Task CallsAreBalancedAndContinueWhenAServerStops()
    {
        await using var first = await ServerDouble.StartAsync();
        var second = await ServerDouble.StartAsync();
        using var client = Client(first, second, LoadBalancing.RoundRobin);
        // Round robin covers only connected servers, so call until both are connected.
        for (var i = 0; i < 5000 && (first.Behaviour.Calls.IsEmpty || second.Behaviour.Calls.IsEmpty); i++)
        {
            await client.CountVectorsAsync("c");
        }

        var (firstBefore, secondBefore) = (first.Behaviour.Calls.Count, second.Behaviour.Calls.Count);
        for (var i = 0; i < 20; i++)
        {
            await client.CountVectorsAsync("c");
        }

        Assert.Equal((firstBefore + 10, secondBefore + 10), (first.Behaviour.Calls.Count, second.Behaviour.Calls.Count));

        await second.DisposeAsync();
        for (var i = 0; i < 20; i++)
        {
            await client.CountVectorsAsync("c");
        }

        Assert.True(first.Behaviour.Calls.Count >= firstBefore + 30);
    }

    [Fact]
    public async Task AStreamMovesToTheOtherServerWhenItsServerStops()
    {
        var first = await ServerDouble.StartAsync();
        var second = await ServerDouble.StartAsync();
        using var client = Client(first, second, LoadBalancing.PickFirst);
        var responses = new List<StreamEmbedResponse>();

        await foreach (var response in client.StreamEmbedAsync(new Source(200).ItemsAsync()))
        {
            responses.Add(response);
            if (responses.Count == 50)
            {
                await first.DisposeAsync();
            }
        }

        Source.AssertAnswered(200, responses);
        await second.DisposeAsync();
    }

    [Fact]
    public async Task PickFirstUsesOneServer()
    {
        await using var first = await ServerDouble.StartAsync();
        await using var second = await ServerDouble.StartAsync();
        using var client = Client(first, second, LoadBalancing.PickFirst);
        for (var i = 0; i < 20; i++)
        {
            await client.CountVectorsAsync("c");
        }

        Assert.Equal((20, 0), (first.Behaviour.Calls.Count, second.Behaviour.Calls.Count));
    }

    private static EmbeddingsClient Client(ServerDouble first, ServerDouble second, LoadBalancing balancing) => new(new()
    {
        Addresses = [first.Address, second.Address],
        LoadBalancing = balancing,
        MaxInFlight = 16,
        ReconnectDelay = TimeSpan.FromMilliseconds(10),
    });
}
