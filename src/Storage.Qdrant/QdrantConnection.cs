using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>The channel to Qdrant. It connects when first used, and again by itself whenever the connection is lost.</summary>
internal sealed class QdrantConnection : IDisposable
{
    // Asked for before each call, when idle too: a peer that vanished without a word is noticed within these.
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    private readonly GrpcChannel _channel;

    public QdrantConnection(QdrantStoreOptions options)
    {
        Address = new Uri(options.Url);
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = ConnectTimeout,
            KeepAlivePingDelay = PingDelay,
            KeepAlivePingTimeout = PingTimeout,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        };
        if (Address.Scheme == Uri.UriSchemeHttps)
        {
            handler.SslOptions = QdrantTls.Options(options);
        }
        // The client's own channel keeps the default of 4 MB for an answer, which a page of vectors exceeds.
        _channel = GrpcChannel.ForAddress(Address, new()
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = options.MaxReceiveBytes,
            MaxSendMessageSize = null,
            MaxReconnectBackoff = TimeSpan.FromSeconds(2),
            InitialReconnectBackoff = TimeSpan.FromMilliseconds(100),
        });
        var invoker = _channel.CreateCallInvoker();
        if (options.ApiKey is { Length: > 0 } key)
        {
            invoker = invoker.Intercept(headers =>
            {
                headers.Add("api-key", key);
                return headers;
            });
        }
        Client = new(invoker);
    }

    public Uri Address { get; }

    /// <summary>The generated stubs, all over one channel.</summary>
    public QdrantGrpcClient Client { get; }

    public void Dispose()
    {
        Client.Dispose();
        _channel.Dispose();
    }
}
