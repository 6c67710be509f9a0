namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A server with default settings for tests without special requirements; each test uses its own collections.</summary>
public sealed class ServerFixture : IAsyncLifetime
{
    private TestServer? _server;

    public Api Api => _server!.Api;

    public string Address => _server!.Address;

    public string HttpAddress => _server!.HttpAddress;

    /// <summary>Returns a unique name of a collection.</summary>
    public static string NewCollection() => $"c-{Guid.NewGuid():N}";

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync();

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();
}
