using Embeddings.Server;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;
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

    /// <summary>Returns the directory of the embedded store in the settings of a server.</summary>
    public static string EmbeddedDirectory(IReadOnlyList<string> settings)
    {
        using var services = EmbeddingsServerExtensions.CreateStore([.. settings]);
        return services.GetRequiredService<EmbeddedStoreOptions>().Directory;
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
