using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Balancer;
using Grpc.Net.Client.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Embeddings.Client.Calls;

/// <summary>Creates the gRPC channel, with client-side load balancing if there are several addresses.</summary>
internal static class ChannelFactory
{
    public static GrpcChannel Create(EmbeddingsClientOptions options, ILoggerFactory? loggerFactory)
    {
        var endpoints = OptionsCheck.Endpoints(options);
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = options.KeepAliveDelay,
            KeepAlivePingTimeout = options.KeepAliveTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        };
        options.ConfigureHandler?.Invoke(handler);

        var channelOptions = new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            LoggerFactory = loggerFactory,
            Credentials = endpoints[0].Scheme == Uri.UriSchemeHttps ? ChannelCredentials.SecureSsl : ChannelCredentials.Insecure,
            MaxReceiveMessageSize = options.MaxMessageBytes,
            MaxSendMessageSize = options.MaxMessageBytes,
            InitialReconnectBackoff = options.ReconnectDelay,
            MaxReconnectBackoff = options.MaxReconnectDelay,
        };
        if (endpoints.Count == 1)
        {
            return GrpcChannel.ForAddress(endpoints[0], channelOptions);
        }

        var resolver = new StaticResolverFactory(_ => endpoints.Select(endpoint => new BalancerAddress(endpoint.Host, endpoint.Port)));
        channelOptions.ServiceProvider = new ServiceCollection().AddSingleton<ResolverFactory>(resolver).BuildServiceProvider();
        channelOptions.ServiceConfig = new ServiceConfig
        {
            LoadBalancingConfigs = { options.LoadBalancing == LoadBalancing.PickFirst ? new PickFirstConfig() : new RoundRobinConfig() },
        };
        return GrpcChannel.ForAddress("static:///embeddings", channelOptions);
    }
}
