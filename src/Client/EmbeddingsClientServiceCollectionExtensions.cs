using Embeddings.Client;
using Embeddings.Client.Calls;
using Grpc.Core;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the client of the Embeddings service.</summary>
public static class EmbeddingsClientServiceCollectionExtensions
{
    private const string Name = nameof(EmbeddingsClient);

    /// <summary>
    /// Registers an <see cref="EmbeddingsClient"/> as a singleton, unless one is already registered. Its options are
    /// read from the host's configuration and validated when the host starts.
    /// </summary>
    /// <param name="services">Service collection to add the client to.</param>
    /// <param name="configSectionPath">
    /// Configuration section with options by name, for example <c>Addresses:0</c> and <c>MaxInFlight</c>. Unknown names
    /// and values of the wrong form are errors that name the key, the value, and the range.
    /// </param>
    /// <returns>
    /// A builder for the gRPC channel, for example to add interceptors, call credentials, or HTTP handlers.
    /// </returns>
    public static IHttpClientBuilder AddEmbeddingsClient(this IServiceCollection services, string configSectionPath)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configSectionPath);
        services.AddOptions<EmbeddingsClientOptions>().Configure<IConfiguration>((options, configuration) =>
            EmbeddingsClientOptionsBinder.Bind(options, configuration.GetSection(configSectionPath)));
        return services.AddClient();
    }

    /// <summary>
    /// Registers an <see cref="EmbeddingsClient"/> as a singleton, unless one is already registered. Its options are
    /// validated when the host starts.
    /// </summary>
    /// <param name="services">Service collection to add the client to.</param>
    /// <param name="configure">Sets the options.</param>
    /// <returns>
    /// A builder for the gRPC channel, for example to add interceptors, call credentials, or HTTP handlers.
    /// </returns>
    public static IHttpClientBuilder AddEmbeddingsClient(
        this IServiceCollection services, Action<EmbeddingsClientOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<EmbeddingsClientOptions>().Configure(configure);
        return services.AddClient();
    }

    private static IHttpClientBuilder AddClient(this IServiceCollection services)
    {
        services.AddOptions<EmbeddingsClientOptions>().ValidateOnStart();
        services.TryAddEnumerable(
            ServiceDescriptor.Singleton<IValidateOptions<EmbeddingsClientOptions>, EmbeddingsClientOptionsValidator>());
        services.TryAddSingleton(provider => new EmbeddingsClient(
            provider.GetRequiredService<GrpcClientFactory>().CreateClient<Channel>(Name).Invoker,
            Options(provider),
            provider.GetService<ILoggerFactory>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System));
        return services
            .AddGrpcClient<Channel>(Name, (provider, client) =>
            {
                client.Address = ChannelFactory.Address(Options(provider));
                client.ChannelOptionsActions.Add(channel => ChannelFactory.Configure(channel, Options(provider)));
            })
            .ConfigurePrimaryHttpMessageHandler(provider => ChannelFactory.Handler(Options(provider)))
            // The channel uses one handler as long as it exists.
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan);
    }

    private static EmbeddingsClientOptions Options(IServiceProvider provider) =>
        provider.GetRequiredService<IOptions<EmbeddingsClientOptions>>().Value;

    // The client of the factory. EmbeddingsClient itself cannot be, because the factory registers transient clients.
    private sealed class Channel(CallInvoker invoker)
    {
        public CallInvoker Invoker => invoker;
    }
}
