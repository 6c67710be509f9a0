using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The nodes of Qdrant. All calls go to one of them, until it fails: then to the next one in the order of the settings.
/// </summary>
internal sealed class QdrantConnection : IDisposable
{
    private static readonly TimeSpan FailoverTime = TimeSpan.FromSeconds(30);

    private readonly QdrantNodeChannel[] _nodes;
    private readonly TimeProvider _time;
    private int _current;
    private long _leftAt = long.MinValue;

    public QdrantConnection(QdrantStoreOptions options, TimeProvider time)
    {
        _nodes = [.. options.Addresses.Select((address, index) => new QdrantNodeChannel(index, address, options))];
        _time = time;
    }

    /// <summary>The node that calls go to.</summary>
    public QdrantNodeChannel Current => _nodes[Volatile.Read(ref _current)];

    public IReadOnlyList<QdrantNodeChannel> Nodes => _nodes;

    /// <summary>True if a node has failed recently and there are others.</summary>
    public bool IsFailingOver => _nodes.Length > 1
        && Volatile.Read(ref _leftAt) is var leftAt and not long.MinValue
        && _time.GetElapsedTime(leftAt) < FailoverTime;

    /// <summary>Makes the next node the current one, unless another call has already left this node.</summary>
    public void Leave(QdrantNodeChannel node)
    {
        Volatile.Write(ref _leftAt, _time.GetTimestamp());
        Interlocked.CompareExchange(ref _current, (node.Index + 1) % _nodes.Length, node.Index);
    }

    public void Dispose()
    {
        foreach (var node in _nodes)
        {
            node.Dispose();
        }
    }
}

/// <summary>The channel to one node of Qdrant. It connects on first use and reconnects automatically.</summary>
internal sealed class QdrantNodeChannel : IDisposable
{
    private readonly GrpcChannel _channel;
    private bool _hasAnswered;

    public QdrantNodeChannel(int index, Uri address, QdrantStoreOptions options)
    {
        Index = index;
        Address = address;
        // Pings are also sent while idle, so that a vanished peer is detected within these times. With several nodes they
        // are the time until another node takes over.
        var isAlone = options.Addresses.Count == 1;
        var handler = new SocketsHttpHandler
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = TimeSpan.FromSeconds(isAlone ? 5 : 1),
            KeepAlivePingDelay = TimeSpan.FromSeconds(isAlone ? 10 : 1),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(isAlone ? 5 : 1),
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
        Calls = invoker;
        Client = new(invoker);
    }

    /// <summary>The position in the settings.</summary>
    public int Index { get; }

    public Uri Address { get; }

    /// <summary>True if Qdrant has answered a call, so that address and scheme are right.</summary>
    public bool HasAnswered
    {
        get => Volatile.Read(ref _hasAnswered);
        set => Volatile.Write(ref _hasAnswered, value);
    }

    /// <summary>Calls without a stub.</summary>
    public CallInvoker Calls { get; }

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
