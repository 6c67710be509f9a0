using Embeddings.Client;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the client of the Embeddings service.</summary>
public static class EmbeddingsClientServiceCollectionExtensions
{
    /// <summary>Registers an <see cref="EmbeddingsClient"/> as a singleton, unless one is already registered.</summary>
    /// <param name="services">Service collection to add the client to.</param>
    /// <param name="options">Options of the client.</param>
    /// <exception cref="ArgumentException">
    /// Thrown when the client is first resolved, if an option is out of range.
    /// </exception>
    public static IServiceCollection AddEmbeddingsClient(this IServiceCollection services, EmbeddingsClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return services.AddEmbeddingsClient(_ => options);
    }

    /// <summary>Registers an <see cref="EmbeddingsClient"/> as a singleton, unless one is already registered.</summary>
    /// <param name="services">Service collection to add the client to.</param>
    /// <param name="section">
    /// Configuration section with options by name, for example <c>Addresses:0</c> and <c>MaxInFlight</c>. Unknown names
    /// are errors.
    /// </param>
    /// <exception cref="InvalidOperationException">
    /// Thrown when the client is first resolved, if the section contains an unknown name or an invalid value.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// Thrown when the client is first resolved, if an option is out of range.
    /// </exception>
    public static IServiceCollection AddEmbeddingsClient(this IServiceCollection services, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return services.AddEmbeddingsClient(
            _ => section.Get<EmbeddingsClientOptions>(binder => binder.ErrorOnUnknownConfiguration = true) ?? new EmbeddingsClientOptions());
    }

    /// <summary>Registers an <see cref="EmbeddingsClient"/> as a singleton, unless one is already registered.</summary>
    /// <param name="services">Service collection to add the client to.</param>
    /// <param name="options">Creates the options when the client is first resolved.</param>
    /// <exception cref="ArgumentException">
    /// Thrown when the client is first resolved, if an option is out of range.
    /// </exception>
    public static IServiceCollection AddEmbeddingsClient(this IServiceCollection services, Func<IServiceProvider, EmbeddingsClientOptions> options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        services.TryAddSingleton(provider => new EmbeddingsClient(options(provider), provider.GetService<ILoggerFactory>()));
        return services;
    }
}
