using System.Collections.Concurrent;
using Embeddings.Client.Tests.Doubles;
using Grpc.Core;

namespace Embeddings.Client.Tests.Calls;

/// <summary>TLS, client certificates, and API keys.</summary>
public sealed class ClientTlsTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TestAuthority _authority = new();
    private readonly TestCertificate _certificate;

    public ClientTlsTests()
    {
        _certificate = _authority.Issue();
        _folder.Write("ca.crt", _authority.Pem);
    }

    public void Dispose()
    {
        _certificate.Dispose();
        _authority.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task TheKeyAndTheCertificateAreSentOverTlsToSeveralServers()
    {
        var seen = new ConcurrentQueue<string>();
        var behaviour = new Behaviour
        {
            OnUnary = (_, context) =>
            {
                var subject = context.GetHttpContext().Connection.ClientCertificate?.Subject;
                seen.Enqueue($"{subject} {context.RequestHeaders.GetValue("authorization")}");
                return Task.CompletedTask;
            },
        };
        await using var first = await ServerDouble.StartAsync(behaviour, certificate: _certificate.Certificate);
        await using var second = await ServerDouble.StartAsync(behaviour, certificate: _certificate.Certificate);
        using var worker = _authority.Issue("CN=worker-1", TestAuthority.Client);
        var (certificate, key) = worker.Write(_folder, "worker");
        using var one = new EmbeddingsClient(Options(first) with { ApiKey = "emb_1", ClientCertificateFile = certificate, ClientKeyFile = key });
        await one.CountVectorsAsync("c");
        Source.AssertAnswered(5, await one.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync());
        using var both = new EmbeddingsClient(Options(first, second) with { ApiKey = "emb_2" });
        await both.CountVectorsAsync("c");
        await both.CountVectorsAsync("c");

        Assert.Equal(["CN=worker-1 Bearer emb_1", " Bearer emb_2", " Bearer emb_2"], seen);
    }

    [Fact]
    public async Task AnotherAuthorityIsNotTrusted()
    {
        await using var server = await ServerDouble.StartAsync(certificate: _certificate.Certificate);
        using var others = new TestAuthority("others");
        foreach (var file in new[] { null, _folder.Write("others.crt", others.Pem) })
        {
            using var client = new EmbeddingsClient(Options(server) with { CaFile = file, MaxRetries = 0, ReconnectDelay = TimeSpan.FromMinutes(1), MaxReconnectDelay = TimeSpan.FromHours(1) });
            var error = await Assert.ThrowsAsync<EmbeddingsException>(() => client.CountVectorsAsync("c"));
            Assert.Equal(StatusCode.Internal, error.Status);
            Assert.Contains("The remote certificate is invalid", error.Message, StringComparison.Ordinal);
            // A stream does not try again either.
            var stream = await Assert.ThrowsAsync<EmbeddingsException>(
                () => client.StreamEmbedAsync(new Source(5).ItemsAsync()).ToListAsync().AsTask());
            Assert.Equal(StatusCode.Internal, stream.Status);
        }
    }

    [Fact]
    public void AFileThatCannotBeUsedIsNamed()
    {
        var (certificate, key) = _certificate.Write(_folder, "worker");
        var secure = new EmbeddingsClientOptions { Addresses = ["https://host"] };
        Expect(secure with { CaFile = "missing.crt" }, "CaFile 'missing.crt' cannot be read: ");
        Expect(secure with { CaFile = key }, $"CaFile must contain a certificate in PEM (-----BEGIN CERTIFICATE-----); '{key}' has none.");
        Expect(secure with { ClientCertificateFile = certificate }, $"ClientCertificateFile '{certificate}' cannot be used: ");
        Expect(secure with { ClientCertificateFile = certificate, ClientKeyFile = "missing.key" }, "with ClientKeyFile 'missing.key' cannot be used: ");
        Expect(secure with { ClientKeyFile = key }, "ClientKeyFile requires ClientCertificateFile, the file of its certificate.");
        Expect(secure with { Addresses = ["host:1"], CaFile = certificate }, "CaFile requires https:// addresses; got host:1.");
        Expect(
            secure with { CaFile = certificate, HttpHandler = new SocketsHttpHandler() },
            "CaFile must not be set with HttpHandler, which has its own settings of TLS.");
        new EmbeddingsClient(secure with { CaFile = certificate, ClientCertificateFile = certificate, ClientKeyFile = key }).Dispose();
    }

    [Theory]
    [InlineData("10.0.0.1:50051")]
    [InlineData("http://embeddings:50051")]
    [InlineData("http://127.0.0.1.example.com")]
    public void AKeyIsNotSentInClearTextToAnotherMachine(string address)
    {
        foreach (var options in new[]
        {
            new EmbeddingsClientOptions { ApiKey = "emb_secret" },
            new EmbeddingsClientOptions { Headers = new Dictionary<string, string> { ["authorization"] = "Bearer emb_secret" } },
            new EmbeddingsClientOptions { Headers = new Dictionary<string, string> { ["x-api-key"] = "emb_secret" } },
        })
        {
            Expect(options with { Addresses = [address] }, "requires https:// addresses, because a key over http:// can be read in transit");
            new EmbeddingsClient(options with { Addresses = ["localhost"] }).Dispose();
            new EmbeddingsClient(options with { Addresses = ["127.0.0.1:1", "[::1]:1"] }).Dispose();
            new EmbeddingsClient(options with { Addresses = ["https://embeddings"] }).Dispose();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("emb secret")]
    [InlineData("emb\u00e9")]
    [InlineData("emb\n")]
    public void AKeyIsPrintableAsciiWithoutSpaces(string key) =>
        Expect(new() { Addresses = ["localhost"], ApiKey = key }, "ApiKey must be null, or at least one printable ASCII character, without spaces.");

    private EmbeddingsClientOptions Options(params ServerDouble[] servers) => new()
    {
        Addresses = [.. servers.Select(server => $"https://{server.Address}")],
        CaFile = _folder.File("ca.crt"),
    };

    private static void Expect(EmbeddingsClientOptions options, string message)
    {
        var error = Assert.Throws<ArgumentException>(() => new EmbeddingsClient(options));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }
}
