using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Core.Imaging;
using Embeddings.Core.Memory;
using Embeddings.Core.Models;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the embedding core.</summary>
public static class EmbeddingCoreServiceCollectionExtensions
{
    /// <summary>
    /// Adds <see cref="Embedder"/> and what it needs. Models are loaded when it is first resolved. In a host, idle models are
    /// unloaded and changed ones reloaded as <see cref="ModelOptions"/> says.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="options">Options; null for the defaults.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">An option is out of range.</exception>
    public static IServiceCollection AddEmbeddingCore(this IServiceCollection services, EmbeddingCoreOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        options ??= new();
        options.Validate();
        return services.AddSingleton(options.Imaging).AddEmbeddingCoreFrom(_ => options);
    }

    /// <summary>The same with options that the container provides, <see cref="ImagingOptions"/> included, and that are validated already.</summary>
    internal static IServiceCollection AddEmbeddingCoreFrom(
        this IServiceCollection services, Func<IServiceProvider, EmbeddingCoreOptions> options)
    {
        services.AddLogging().AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        return services
            .AddSingleton(options)
            .AddSingleton<EmbeddingMetrics>()
            .AddSingleton(services => new MemoryBudget(
                services.GetRequiredService<EmbeddingCoreOptions>().Memory, services.GetRequiredService<ImagingOptions>()))
            .AddSingleton<Preprocessor>()
            .AddSingleton<ModelCatalog>()
            .AddSingleton<EmbeddingPipeline>()
            .AddSingleton<FaceFinder>()
            .AddSingleton<FaceEmbedder>()
            .AddSingleton(services => new Embedder(
                services.GetRequiredService<ModelCatalog>(),
                services.GetRequiredService<EmbeddingPipeline>(),
                services.GetRequiredService<FaceFinder>(),
                services.GetRequiredService<FaceEmbedder>()))
            .AddHostedService<ModelMaintenance>()
            .AddHostedService<BatchTuning>();
    }
}
