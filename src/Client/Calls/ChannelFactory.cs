using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Grpc.Net.Client.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Calls;

/// <summary>Configures gRPC channels, with client-side load balancing if there are several addresses.</summary>
internal static class ChannelFactory
{
    /// <summary>Validates the options and creates a channel for a client without a host.</summary>
    public static GrpcChannel Create(EmbeddingsClientOptions options, ILoggerFactory? loggerFactory)
    {
        EmbeddingsClientOptionsValidator.ThrowIfInvalid(options);
        var channel = new GrpcChannelOptions
        {
            HttpHandler = Handler(options),
            DisposeHttpClient = options.HttpHandler is null,
            LoggerFactory = loggerFactory,
        };
        Configure(channel, options);
        return GrpcChannel.ForAddress(Address(options), channel);
    }

    public static Uri Address(EmbeddingsClientOptions options)
    {
        var endpoints = EmbeddingsClientOptionsValidator.Endpoints(options);
        return endpoints.Count == 1 ? endpoints[0] : new Uri("static:///embeddings");
    }

    public static void Configure(GrpcChannelOptions channel, EmbeddingsClientOptions options)
    {
        var endpoints = EmbeddingsClientOptionsValidator.Endpoints(options);
        var isSecure = endpoints[0].Scheme == Uri.UriSchemeHttps;
        channel.Credentials = isSecure ? ChannelCredentials.SecureSsl : ChannelCredentials.Insecure;
        // Otherwise call credentials would be dropped silently, and the server's error would not show why.
        channel.UnsafeUseInsecureChannelCallCredentials = true;
        channel.MaxReceiveMessageSize = options.MaxMessageBytes;
        channel.MaxSendMessageSize = options.MaxMessageBytes;
        channel.InitialReconnectBackoff = options.ReconnectDelay;
        channel.MaxReconnectBackoff = options.MaxReconnectDelay;
        if (endpoints.Count == 1)
        {
            return;
        }

        var addresses = endpoints.Select(endpoint => new BalancerAddress(endpoint.Host, endpoint.Port)).ToArray();
        channel.ServiceProvider = new ServiceCollection()
            .AddSingleton<ResolverFactory>(new StaticResolverFactory(_ => addresses))
            .BuildServiceProvider();
        LoadBalancingConfig policy = options.LoadBalancing == LoadBalancing.PickFirst
            ? new PickFirstConfig()
            : new RoundRobinConfig();
        channel.ServiceConfig = new ServiceConfig { LoadBalancingConfigs = { policy } };
    }

    public static HttpMessageHandler Handler(EmbeddingsClientOptions options)
    {
        if (options.HttpHandler is { } own)
        {
            return own;
        }

        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = options.KeepAliveDelay,
            KeepAlivePingTimeout = options.KeepAliveTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        };
        ClientTls.Configure(handler.SslOptions, options);
        options.ConfigureHandler?.Invoke(handler);
        return handler;
    }
}
