using Embeddings.Client;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the client of the Embeddings service.</summary>
public static class EmbeddingsClientServiceCollectionExtensions
{
    /// <summary>Registers one <see cref="EmbeddingsClient"/> for the whole program, unless there is one.</summary>
    /// <param name="services">The services.</param>
    /// <param name="options">Where the servers are.</param>
    /// <exception cref="ArgumentException">When the client is first asked for: an option is out of its range.</exception>
    public static IServiceCollection AddEmbeddingsClient(this IServiceCollection services, EmbeddingsClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return services.AddEmbeddingsClient(_ => options);
    }

    /// <summary>Registers one <see cref="EmbeddingsClient"/> for the whole program, unless there is one.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">Options by their names, for example <c>Addresses:0</c> and <c>MaxInFlight</c>; an unknown name is an error.</param>
    /// <exception cref="InvalidOperationException">
    /// When the client is first asked for: the section has an unknown name or a value that cannot be read.
    /// </exception>
    /// <exception cref="ArgumentException">When the client is first asked for: an option is out of its range.</exception>
    public static IServiceCollection AddEmbeddingsClient(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return services.AddEmbeddingsClient(
            _ => section.Get<EmbeddingsClientOptions>(binder => binder.ErrorOnUnknownConfiguration = true) ?? new EmbeddingsClientOptions());
    }

    /// <summary>Registers one <see cref="EmbeddingsClient"/> for the whole program, unless there is one.</summary>
    /// <param name="services">The services.</param>
    /// <param name="options">Makes the options when the client is first asked for.</param>
    /// <exception cref="ArgumentException">When the client is first asked for: an option is out of its range.</exception>
    public static IServiceCollection AddEmbeddingsClient(this IServiceCollection services, Func<IServiceProvider, EmbeddingsClientOptions> options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        services.TryAddSingleton(provider => new EmbeddingsClient(options(provider), provider.GetService<ILoggerFactory>()));
        return services;
    }
}
