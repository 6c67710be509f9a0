using Embeddings.Client.Tests.Doubles;
using Embeddings.V1;
using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Embeddings.Client.Tests;

public sealed class EmbeddingsClientServiceCollectionExtensionsTests
{
    [Fact]
    public async Task TheClientIsASingletonAndWorks()
    {
        await using var server = await ServerDouble.StartAsync(new Behaviour { Models = { new Model { Name = "m" } } });
        var services = new ServiceCollection();
        services.AddEmbeddingsClient(options => options.Addresses = [server.Address]);
        await using var provider = services.BuildServiceProvider();

        var client = provider.GetRequiredService<EmbeddingsClient>();

        Assert.Same(client, provider.GetRequiredService<EmbeddingsClient>());
        Assert.Equal("m", (await client.GetModelAsync(new GetModelRequest { Name = "m" })).Model.Name);
        Source.AssertAnswered(100, await client.StreamEmbedAsync(new Source(100).ItemsAsync()).ToListAsync());
    }

    [Fact]
    public async Task CallsAreBalancedOverSeveralServers()
    {
        await using var first = await ServerDouble.StartAsync();
        await using var second = await ServerDouble.StartAsync();
        var services = new ServiceCollection();
        services.AddEmbeddingsClient(options =>
        {
            options.Addresses = [first.Address, second.Address];
            options.LoadBalancing = LoadBalancing.PickFirst;
        });
        await using var provider = services.BuildServiceProvider();
        var client = provider.GetRequiredService<EmbeddingsClient>();

        await client.CountVectorsAsync("c");
        await first.DisposeAsync();
        await client.CountVectorsAsync("c");

        Assert.Single(first.Behaviour.Calls);
        Assert.Single(second.Behaviour.Calls);
    }

    [Fact]
    public async Task TheBuilderConfiguresTheChannel()
    {
        var keys = new List<string?>();
        await using var server = await ServerDouble.StartAsync(new Behaviour
        {
            OnUnary = (_, context) =>
            {
                keys.Add(context.RequestHeaders.GetValue("authorization"));
                keys.Add(context.RequestHeaders.GetValue("x-handler"));
                return Task.CompletedTask;
            },
        });
        var services = new ServiceCollection();
        services.AddEmbeddingsClient(options => options.Addresses = [server.Address])
            .AddCallCredentials((_, metadata) =>
            {
                metadata.Add("authorization", "Bearer key");
                return Task.CompletedTask;
            })
            .ConfigureChannel(channel => channel.MaxSendMessageSize = 10_000)
            .AddHttpMessageHandler(() => new HeaderHandler());
        await using var provider = services.BuildServiceProvider();

        await provider.GetRequiredService<EmbeddingsClient>().CountVectorsAsync("c");

        Assert.Equal(["Bearer key", "yes"], keys);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ATestDoubleReplacesTheClient(bool before)
    {
        var services = new ServiceCollection();
        if (before)
        {
            services.AddSingleton<EmbeddingsClient>(new FakeClient());
        }

        services.AddEmbeddingsClient("Embeddings");
        if (!before)
        {
            services.AddSingleton<EmbeddingsClient>(new FakeClient());
        }

        await using var provider = services.BuildServiceProvider();

        Assert.IsType<FakeClient>(provider.GetRequiredService<EmbeddingsClient>());
    }

    [Fact]
    public void OptionsAreReadFromAConfigurationSection()
    {
        using var provider = With(
            ("Addresses:0", "a:1"),
            ("Addresses:1", "b:2"),
            ("MaxInFlight", "7"),
            ("Deadline", "00:00:05"),
            ("LoadBalancing", "PickFirst"));

        var options = provider.GetRequiredService<EmbeddingsClient>().Options;

        Assert.Equal(["a:1", "b:2"], options.Addresses);
        Assert.Equal((7, TimeSpan.FromSeconds(5)), (options.MaxInFlight, options.Deadline));
        Assert.Equal(LoadBalancing.PickFirst, options.LoadBalancing);
        Assert.Equal(new EmbeddingsClientOptions().MaxMessageBytes, options.MaxMessageBytes);
    }

    [Theory]
    [InlineData("MaxInFlite", "7", "Client:MaxInFlite is not an option. The options are Addresses, ApiKey, BatchDelay, CaFile, ClientCertificateFile, ClientKeyFile, ConnectTimeout,")]
    [InlineData("ConfigureHandler", "x", "Client:ConfigureHandler is not an option.")]
    [InlineData("MaxInFlight", "abc", "Client:MaxInFlight must be between 1 and 65536; got 'abc'.")]
    [InlineData("MaxInFlight", "99999999999", "Client:MaxInFlight must be between 1 and 65536; got '99999999999'.")]
    [InlineData("ApiKey:0", "a", "Client:ApiKey must be a single value; got a section.")]
    [InlineData("Headers", "a", "Client:Headers must have a key for each element, such as Client:Headers:0.")]
    [InlineData("MaxInFlight:0", "7", "Client:MaxInFlight must be between 1 and 65536; got ''.")]
    [InlineData("Deadline", "5 s", "Client:Deadline must be between 00:00:00.001 and 1.00:00:00; got '5 s'.")]
    [InlineData("LoadBalancing", "Random", "Client:LoadBalancing must be RoundRobin or PickFirst; got 'Random'.")]
    [InlineData("RetryOnOverload", "maybe", "Client:RetryOnOverload must be true or false; got 'maybe'.")]
    [InlineData("MaxInFlight", "0", "MaxInFlight must be between 1 and 65536; got 0.")]
    [InlineData("Addresses:1", "https://b:1", "Addresses must all use http or all use https; got a:1, https://b:1.")]
    [InlineData("MaxReconnectDelay", "00:00:00.010", "MaxReconnectDelay must be at least ReconnectDelay (00:00:00.1000000)")]
    [InlineData("Headers:X Y", "a", "Headers must have names of the characters a-z, 0-9, '-', '_', and '.'")]
    public async Task AHostWithAnInvalidOptionDoesNotStart(string name, string value, string message)
    {
        var builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddInMemoryCollection([new("Client:Addresses:0", "a:1"), new($"Client:{name}", value)]);
        builder.Services.AddEmbeddingsClient("Client");
        using var host = builder.Build();

        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingAddressesAreAnError()
    {
        using var provider = With();

        Assert.Throws<OptionsValidationException>(provider.GetRequiredService<EmbeddingsClient>);
    }

    private static ServiceProvider With(params (string Key, string Value)[] settings)
    {
        var pairs = settings.Select(setting => KeyValuePair.Create($"Embeddings:{setting.Key}", (string?)setting.Value));
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(pairs).Build());
        services.AddEmbeddingsClient("Embeddings");
        return services.BuildServiceProvider();
    }

    private sealed class HeaderHandler : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Add("x-handler", "yes");
            return base.SendAsync(request, cancellationToken);
        }
    }
}
