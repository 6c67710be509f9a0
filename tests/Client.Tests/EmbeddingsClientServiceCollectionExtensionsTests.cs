using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Client.Tests;

public sealed class EmbeddingsClientServiceCollectionExtensionsTests
{
    [Fact]
    public async Task TheClientIsASingletonAndWorks()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { Models = { new Model { Name = "m" } } });
        await using var provider = new ServiceCollection()
            .AddEmbeddingsClient(new EmbeddingsClientOptions { Addresses = [server.Address] })
            .AddEmbeddingsClient(_ => throw new InvalidOperationException("The first one counts."))
            .BuildServiceProvider();

        var client = provider.GetRequiredService<EmbeddingsClient>();

        Assert.Same(client, provider.GetRequiredService<EmbeddingsClient>());
        Assert.Equal("m", (await client.GetModelAsync(new GetModelRequest { Name = "m" })).Model.Name);
    }

    [Fact]
    public void OptionsAreReadFromAConfigurationSection()
    {
        using var provider = With(
            ("Addresses:0", "a:1"), ("Addresses:1", "b:2"), ("MaxInFlight", "7"), ("Deadline", "00:00:05"), ("LoadBalancing", "PickFirst"));

        var options = provider.GetRequiredService<EmbeddingsClient>().Options;

        Assert.Equal(["a:1", "b:2"], options.Addresses);
        Assert.Equal((7, TimeSpan.FromSeconds(5), LoadBalancing.PickFirst), (options.MaxInFlight, options.Deadline, options.LoadBalancing));
        Assert.Equal(new EmbeddingsClientOptions().MaxMessageBytes, options.MaxMessageBytes);
    }

    [Fact]
    public void AnUnknownOrInvalidOptionIsAnError()
    {
        using var misspelt = With(("Addresses:0", "a:1"), ("MaxInFlite", "7"));
        Assert.Throws<InvalidOperationException>(misspelt.GetRequiredService<EmbeddingsClient>);
        using var bad = With(("Addresses:0", "a:1"), ("MaxInFlight", "0"));
        Assert.Throws<ArgumentException>(bad.GetRequiredService<EmbeddingsClient>);
        using var empty = With();
        Assert.Throws<ArgumentException>(empty.GetRequiredService<EmbeddingsClient>);
    }

    private static ServiceProvider With(params (string Key, string Value)[] settings)
    {
        var pairs = settings.Select(setting => KeyValuePair.Create($"Embeddings:{setting.Key}", (string?)setting.Value));
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(pairs).Build();
        return new ServiceCollection().AddEmbeddingsClient(configuration.GetSection("Embeddings")).BuildServiceProvider();
    }
}
