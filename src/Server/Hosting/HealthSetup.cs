using Embeddings.Core.Models;
using Embeddings.Storage;
using Grpc.AspNetCore.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Health by name: the empty one and each service's for the whole, <c>store</c> for the store, <c>model/NAME</c> for each model. Embedding works without the
/// store, so the embedding and model services do not depend on it.
/// </summary>
internal static class HealthSetup
{
    private const string Store = "store";
    private const string Models = "models";

    public static void Add(IServiceCollection services)
    {
        services.AddGrpcHealthChecks()
            .Add(new(Store, services => new ReasonHealthCheck(services.GetRequiredService<IVectorStore>().CheckAsync), HealthStatus.Unhealthy, null))
            .Add(new(Models, services => new ReasonHealthCheck(_ => LoadedAsync(services)), HealthStatus.Unhealthy, null));
        services.AddOptions<GrpcHealthChecksOptions>().Configure<ModelCatalog>((options, models) =>
        {
            options.UseHealthChecksCache = false;
            options.Services.Map(Store, check => check.Name == Store);
            options.Services.Map(V1.EmbeddingService.Descriptor.FullName, check => check.Name == Models);
            options.Services.Map(V1.ModelService.Descriptor.FullName, check => check.Name == Models);
            options.Services.Map(V1.VectorStoreService.Descriptor.FullName, check => check.Name == Store);
            options.Services.Map(V1.IngestService.Descriptor.FullName, _ => true);
            foreach (var model in models.All)
            {
                options.Services.Map($"model/{model.Name}", check => check.Name == Models);
            }
        });
        services.Configure<HealthCheckPublisherOptions>(options =>
        {
            options.Delay = TimeSpan.Zero;
            options.Period = TimeSpan.FromSeconds(2);
        });
    }

    /// <summary>One line a check: its name, and why it does not hold.</summary>
    public static Task WriteAsync(HttpContext context, HealthReport report)
    {
        context.Response.ContentType = "text/plain";
        var lines = report.Entries.Select(entry => $"{entry.Key}: {(entry.Value.Status == HealthStatus.Healthy ? "SERVING" : $"NOT_SERVING {entry.Value.Description}")}\n");
        return context.Response.WriteAsync(string.Concat(lines));
    }

    // The catalog is there once its models are loaded. Without any, because none are configured, the store serves all the same.
    private static Task<string?> LoadedAsync(IServiceProvider services)
    {
        _ = services.GetRequiredService<ModelCatalog>();
        return Task.FromResult<string?>(null);
    }
}
