using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Embeddings.Server.Security;
using Embeddings.Storage;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Loads the models and opens the store before the first port opens: a server that can be reached is ready.
/// </summary>
internal sealed class StartUp(IServiceProvider services, IVectorStore store, ILogger<StartUp> log) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        WarnIfExposed();
        var models = Task.Run(services.GetRequiredService<ModelCatalog>, cancellationToken);
        await store.StartAsync(cancellationToken);
        await models;
        // Not before the models are loaded: loading allocates and frees large blocks many times, and with the limits each
        // one would be a new mapping whose pages fault in one by one.
        NativeHeap.Limit();
        var memory = services.GetRequiredService<MemoryBudget>();
        memory.Adapt(Environment.WorkingSet, isInitial: true);
        ServerLog.MemoryLimit(log, memory.Limit >> 20, memory.Messages.Largest >> 21, memory.Decoding.Largest >> 20);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void WarnIfExposed()
    {
        var server = services.GetRequiredService<ServerOptions>();
        var tls = services.GetRequiredService<TlsOptions>();
        if (ExposureRules.Missing(server, tls, ExposureRules.AuthenticationOn(services.GetRequiredService<IConfiguration>())) is { } missing)
        {
            ServerLog.InsecureAddress(log, server.Listen, missing);
        }
    }
}
