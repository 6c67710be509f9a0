namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>One server with every default for the tests that need nothing special; each test works in collections of its own.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    private TestServer? _server;

    public Api Api => _server!.Api;

    public string Address => _server!.Address;

    public string HttpAddress => _server!.HttpAddress;

    /// <summary>A collection's name that nobody else has.</summary>
    public static string NewCollection() => $"c-{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();
}
