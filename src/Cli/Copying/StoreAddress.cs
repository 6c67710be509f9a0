using Embeddings.Server;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Cli.Copying;

/// <summary>A store that a copy reads or writes, opened by its settings.</summary>
internal sealed class StoreAddress : IAsyncDisposable
{
    private readonly ServiceProvider _services;

    private StoreAddress(ServiceProvider services) => _services = services;

    public IVectorStore Store => _services.GetRequiredService<IVectorStore>();

    /// <summary>Opens it; a fault where it is not there, or another process has it.</summary>
    public static async Task<StoreAddress> OpenAsync(StoreKind kind, IReadOnlyList<string> settings, CancellationToken cancellationToken)
    {
        var opened = new StoreAddress(EmbeddingsServerExtensions.CreateStore([.. settings, $"--Store:Kind={kind}"]));
        try
        {
            await opened.Store.StartAsync(cancellationToken);
            return await opened.Store.CheckAsync(cancellationToken) is { } why ? throw new CliException($"the {kind} store is not ready: {why}") : opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();
}
