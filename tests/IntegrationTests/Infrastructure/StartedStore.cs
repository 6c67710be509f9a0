using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A server and what it stores its points in, for tests with each store.</summary>
internal sealed record StartedStore(TestServer Server, IAsyncDisposable? Qdrant) : IAsyncDisposable
{
    private const string Double = "double of Qdrant";
    private const string Real = "real Qdrant";

    /// <summary>The names of all stores.</summary>
    public static TheoryData<string> All => ["embedded", Double, Real];

    /// <summary>Starts a server with a store; skips the test if its program is missing.</summary>
    public static async Task<StartedStore> StartAsync(string store, Action<IServiceCollection>? services = null, params string[] args)
    {
        Assert.SkipWhen(store == Real && Tool.Missing("QDRANT_BINARY") is not null, Tool.Missing("QDRANT_BINARY") ?? "");
        services ??= static _ => { };
        switch (store)
        {
            case Double:
                var qdrant = await QdrantServer.StartNewAsync();
                return new(await StartAsync(qdrant.Address, services, args), qdrant);
            case Real:
                var node = await QdrantNode.StartAsync();
                return new(await StartAsync(node.Address, services, args), node);
            default:
                return new(await TestServer.StartWithAsync(services, args), null);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        if (Qdrant is not null)
        {
            await Qdrant.DisposeAsync();
        }
    }

    private static Task<TestServer> StartAsync(Uri qdrant, Action<IServiceCollection> services, string[] args) =>
        TestServer.StartWithAsync(services, ["--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant}", .. args]);
}
