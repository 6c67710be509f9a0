using Embeddings.Server;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Cli.Hosting;

/// <summary>A store without a server, opened with the settings of a server.</summary>
internal sealed class OpenStore : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    private OpenStore(ServiceProvider services) => _services = services;

    public IVectorStore Store => _services.GetRequiredService<IVectorStore>();

    /// <summary>Opens a store.</summary>
    /// <exception cref="ToolException">The store is not ready.</exception>
    public static async Task<OpenStore> OpenAsync(
        StoreKind kind, IReadOnlyList<string> settings, CancellationToken cancellationToken)
    {
        var opened = new OpenStore(EmbeddingsServerExtensions.CreateStore([.. settings, $"--Store:Kind={kind}"]));
        try
        {
            await opened.Store.StartAsync(cancellationToken);
            return await opened.Store.CheckAsync(cancellationToken) is { } why
                ? throw new ToolException($"The {kind} store is not ready: {why}")
                : opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
