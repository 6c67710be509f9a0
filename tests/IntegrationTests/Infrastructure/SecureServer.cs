using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A server with TLS, whose certificate comes from an authority of the test.</summary>
internal sealed class SecureServer : IAsyncDisposable
{
    private readonly TempFolder _folder;

    private SecureServer(TestServer server, TempFolder folder, TestAuthority authority)
    {
        Server = server;
        _folder = folder;
        Authority = authority;
    }

    public TestServer Server { get; }

    public TestAuthority Authority { get; }

    public LogLines Log { get; private init; } = new();

    public int GrpcPort => new Uri(Server.Address).Port;

    public int HttpPort => new Uri(Server.HttpAddress).Port;

    /// <summary>PEM file of the authority.</summary>
    public string CaFile => _folder.File("ca.crt");

    public TempFolder Folder => _folder;

    /// <summary>Starts a server with a certificate for this machine.</summary>
    public static Task<SecureServer> StartAsync(params string[] args) => StartWithAsync(_ => { }, args);

    /// <summary>Starts a server with further services.</summary>
    public static async Task<SecureServer> StartWithAsync(Action<IServiceCollection> services, params string[] args)
    {
        var folder = new TempFolder();
        var authority = new TestAuthority();
        folder.Write("ca.crt", authority.Pem);
        using var certificate = authority.Issue();
        var (file, key) = certificate.Write(folder, "server");
        var log = new LogLines();
        var server = await TestServer.StartWithAsync(
            all =>
            {
                log.Replace(all);
                services(all);
            },
            ["--Logging:LogLevel:Embeddings=Information", $"--Server:Tls:CertificateFile={file}", $"--Server:Tls:KeyFile={key}", .. args]);
        return new(server, folder, authority) { Log = log };
    }

    /// <summary>Replaces the certificate, as a secret of a cluster or a renewal does.</summary>
    public void Replace(TestCertificate certificate) => certificate.Write(_folder, "server");

    /// <summary>Opens a connection of TLS that trusts the authority.</summary>
    public Task<SslStream> ConnectAsync(
        int port,
        SslProtocols protocols = SslProtocols.None,
        X509Certificate2? clientCertificate = null,
        params SslApplicationProtocol[] alpn) =>
        ConnectAsync(port, Authority, protocols, clientCertificate, alpn);

    /// <summary>Returns a channel that trusts the authority.</summary>
    public GrpcChannel Channel(X509Certificate2? clientCertificate = null) =>
        GrpcChannel.ForAddress($"https://127.0.0.1:{GrpcPort}", new() { HttpHandler = Handler(clientCertificate), DisposeHttpClient = true });

    /// <summary>Returns an HTTP client that trusts the authority.</summary>
    public HttpClient Http(X509Certificate2? clientCertificate = null) => new(Handler(clientCertificate));

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        Authority.Dispose();
        _folder.Dispose();
    }

    private static async Task<SslStream> ConnectAsync(
        int port, TestAuthority authority, SslProtocols protocols, X509Certificate2? clientCertificate, SslApplicationProtocol[] alpn)
    {
        var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, port).Bound();
        var stream = new SslStream(socket.GetStream());
        try
        {
            var options = Trust(authority, clientCertificate);
            options.TargetHost = "127.0.0.1";
            options.EnabledSslProtocols = protocols;
            options.ApplicationProtocols = alpn.Length > 0 ? [.. alpn] : null;
            await stream.AuthenticateAsClientAsync(options).Bound();
            return stream;
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
    }

    private static SslClientAuthenticationOptions Trust(TestAuthority authority, X509Certificate2? clientCertificate) => new()
    {
        CertificateChainPolicy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            CustomTrustStore = { authority.Certificate },
        },
        ClientCertificates = clientCertificate is null ? null : [clientCertificate],
    };

    private SocketsHttpHandler Handler(X509Certificate2? clientCertificate) =>
        new() { SslOptions = Trust(Authority, clientCertificate), EnableMultipleHttp2Connections = true };
}
