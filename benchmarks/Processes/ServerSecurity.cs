using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Embeddings.Client;
using Embeddings.Testing;
using Grpc.Net.Client;

namespace Embeddings.Benchmarks.Processes;

/// <summary>A certificate and an API key for a server of the benchmarks, and what its clients need to use both.</summary>
internal sealed class ServerSecurity
{
    private readonly string _authority;
    private readonly string _key = $"emb_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";
    private readonly X509Certificate2Collection _trusted = [];

    /// <param name="directory">An existing folder, in which the files are written.</param>
    public ServerSecurity(string directory)
    {
        using var authority = new TestAuthority();
        using var certificate = authority.Issue();
        _authority = Write("ca.crt", authority.Pem);
        _trusted.ImportFromPemFile(_authority);
        var digest = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(_key)));
        Settings =
        [
            $"--Server:Tls:CertificateFile={Write("tls.crt", certificate.Pem)}",
            $"--Server:Tls:KeyFile={Write("tls.key", certificate.KeyPem)}",
            $"--Security:KeysFile={Write("keys.json", $$"""{ "keys": [{ "name": "bench", "sha256": "{{digest}}", "access": "manage" }] }""")}",
        ];

        string Write(string name, string text)
        {
            var path = Path.Combine(directory, name);
            File.WriteAllText(path, text);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
            return path;
        }
    }

    /// <summary>Settings of the server.</summary>
    public IReadOnlyList<string> Settings { get; }

    /// <summary>Adds the authority and the key to the options of a client.</summary>
    public EmbeddingsClientOptions Apply(EmbeddingsClientOptions options)
    {
        options.CaFile = _authority;
        options.ApiKey = _key;
        return options;
    }

    /// <summary>Options of a channel without the key.</summary>
    public GrpcChannelOptions Channel() => new()
    {
        DisposeHttpClient = true,
        HttpHandler = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new()
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    CustomTrustStore = { _trusted[0] },
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            },
        },
    };
}
