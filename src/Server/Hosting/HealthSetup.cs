using Embeddings.Core.Models;
using Embeddings.Storage;
using Grpc.AspNetCore.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Health by name: the empty name and <c>IngestService</c> for the whole server, the other services for the parts they
/// need, <c>store</c> for reads of the store, <c>store/writes</c> for new points, which need space on the disk, and
/// <c>model/NAME</c> for each model. Embedding works without the store, so the embedding and model services do not depend
/// on it. During a shutdown no name is serving.
/// </summary>
internal static class HealthSetup
{
    private const string Server = "server";
    private const string Store = "store";
    private const string Writes = "store/writes";
    private const string Models = "models";

    public static IServiceCollection AddHealth(this IServiceCollection services)
    {
        services.AddGrpcHealthChecks()
            .AddCheck<ServerCheck>(Server)
            .AddCheck<StoreCheck>(Store)
            .AddCheck<WritesCheck>(Writes)
            .AddCheck<ModelsCheck>(Models);
        services.AddOptions<GrpcHealthChecksOptions>().Configure<ModelCatalog>((options, models) =>
        {
            options.UseHealthChecksCache = false;
            Map(Store, Store);
            Map(Writes, Writes);
            Map(V1.EmbeddingService.Descriptor.FullName, Models);
            Map(V1.ModelService.Descriptor.FullName, Models);
            Map(V1.VectorStoreService.Descriptor.FullName, Store);
            options.Services.Map(V1.IngestService.Descriptor.FullName, _ => true);
            foreach (var model in models.All)
            {
                Map($"model/{model.Name}", Models);
            }

            void Map(string name, string part) => options.Services.Map(name, check => check.Name == part || check.Name == Server);
        });
        return services.Configure<HealthCheckPublisherOptions>(options =>
        {
            options.Delay = TimeSpan.Zero;
            options.Period = TimeSpan.FromSeconds(2);
        });
    }

    /// <summary>Writes one line per check: its name, its status, and the reason if it is not serving.</summary>
    public static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "text/plain";
        var lines = report.Entries.Select(entry => entry.Value.Status == HealthStatus.Healthy
            ? $"{entry.Key}: SERVING\n"
            : $"{entry.Key}: NOT_SERVING {entry.Value.Description}\n");
        return context.Response.WriteAsync(string.Concat(lines));
    }

    private sealed class ServerCheck(Shutdown shutdown) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
            Task.FromResult(shutdown.HasBegun
                ? HealthCheckResult.Unhealthy("The server is shutting down.")
                : HealthCheckResult.Healthy());
    }

    private sealed class StoreCheck(IVectorStore store) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
            await store.CheckAsync(cancellationToken) is { } reason ? HealthCheckResult.Unhealthy(reason) : HealthCheckResult.Healthy();
    }

    private sealed class WritesCheck(IVectorStore store) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
            await store.CheckWritesAsync(cancellationToken) is { } reason
                ? HealthCheckResult.Unhealthy(reason)
                : HealthCheckResult.Healthy();
    }

    // The catalog exists once its models are loaded. A server without any model is healthy, too: it serves its store.
    private sealed class ModelsCheck(ModelCatalog models) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken) =>
            Task.FromResult(HealthCheckResult.Healthy($"{models.All.Count} models"));
    }
}
