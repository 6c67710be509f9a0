using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>The channel to Qdrant. It connects on first use and reconnects automatically.</summary>
internal sealed class QdrantConnection : IDisposable
{
    // Pings are also sent while idle, so that a vanished peer is detected within these times.
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
            handler.SslOptions = Tls(options);
        }
        // The Qdrant client's own channel has the default response limit of 4 MB, which a page of vectors exceeds.
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

    /// <summary>The generated stubs, all on one channel.</summary>
    public QdrantGrpcClient Client { get; }

    public void Dispose()
    {
        Client.Dispose();
        _channel.Dispose();
    }

    private static SslClientAuthenticationOptions Tls(QdrantStoreOptions options)
    {
        var tls = new SslClientAuthenticationOptions();
        if (options.CertificateThumbprint is { } thumbprint)
        {
            var expected = Convert.FromHexString(thumbprint.Replace(":", "", StringComparison.Ordinal));
            // A pinned certificate is stricter than a chain: host name and authority are not checked.
            tls.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null
                && CryptographicOperations.FixedTimeEquals(certificate.GetCertHash(HashAlgorithmName.SHA256), expected);
        }
        else if (options.CaFile is { } file)
        {
            var roots = new X509Certificate2Collection();
            roots.ImportFromPemFile(file);
            tls.CertificateChainPolicy = new()
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }
        return tls;
    }
}
