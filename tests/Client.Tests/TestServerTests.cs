using Embeddings.Client.Tests.Doubles;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Tests;

/// <summary>Calls to a server in the same process, without a socket.</summary>
public sealed class TestServerTests
{
    [Fact]
    public async Task AClientCallsAServerInTheSameProcess()
    {
        await using var app = await StartAsync();
        using var client = new EmbeddingsClient(new EmbeddingsClientOptions
        {
            Addresses = ["localhost"],
            HttpHandler = app.GetTestServer().CreateHandler(),
        });

        await AssertWorksAsync(client);
    }

    [Fact]
    public async Task TheHandlerBelongsToItsOwner()
    {
        await using var app = await StartAsync();
        using var handler = new CountingHandler(app.GetTestServer().CreateHandler());
        var options = new EmbeddingsClientOptions { Addresses = ["localhost"], HttpHandler = handler };

        new EmbeddingsClient(options).Dispose();
        using var client = new EmbeddingsClient(options);

        await client.CountVectorsAsync("c");
        Assert.Equal((1, false), (handler.Requests, handler.IsDisposed));
    }

    [Fact]
    public async Task ARegisteredClientCallsAServerInTheSameProcess()
    {
        await using var app = await StartAsync();
        var services = new ServiceCollection();
        services.AddEmbeddingsClient(options => options.Addresses = ["localhost"])
            .ConfigurePrimaryHttpMessageHandler(() => app.GetTestServer().CreateHandler());
        await using var provider = services.BuildServiceProvider();

        await AssertWorksAsync(provider.GetRequiredService<EmbeddingsClient>());
    }

    private static async Task AssertWorksAsync(EmbeddingsClient client)
    {
        Assert.Equal(0, await client.CountVectorsAsync("c"));
        Source.AssertAnswered(500, await client.StreamEmbedAsync(new Source(500).ItemsAsync()).ToListAsync());
    }

    private static async Task<WebApplication> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(new Behaviour());
        var app = builder.Build();
        app.MapGrpcService<EmbeddingDouble>();
        app.MapGrpcService<VectorStoreDouble>();
        await app.StartAsync();
        return app;
    }

    private sealed class CountingHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        public int Requests { get; private set; }

        public bool IsDisposed { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            return base.SendAsync(request, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            IsDisposed = true;
            base.Dispose(disposing);
        }
    }
}
