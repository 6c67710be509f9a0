using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>TLS connections to Qdrant: only known certificates are trusted.</summary>
public sealed class QdrantTlsTests : QdrantTestBase, IDisposable
{
    private readonly X509Certificate2 _certificate = Make("CN=qdrant");
    private readonly string _file = Path.GetTempFileName();

    public void Dispose()
    {
        _certificate.Dispose();
        File.Delete(_file);
    }

    [Fact]
    public async Task An_unknown_certificate_is_rejected() => Assert.NotNull(await CheckAsync(options => options));

    [Fact]
    public async Task An_untrusted_certificate_and_a_wrong_scheme_fail_reads_and_writes_at_once()
    {
        const int CallRetried = 4102;
        await ReplaceServerAsync(new() { Certificate = _certificate });
        foreach (var (scheme, hint) in new[] { ("https", "CaFile"), ("http", "https://") })
        {
            var retries = 0;
            await using var store = await QdrantStores.StartAsync(
                new UriBuilder(Server.Address) { Scheme = scheme }.Uri, log: new EventLog((id, _) => retries += id == CallRetried ? 1 : 0));
            Func<Task>[] calls =
            [
                () => store.CountAsync(Name, PointFilter.All, None),
                () => store.EnsureCollectionAsync(new(Name, 2, null), None).AsTask(),
            ];
            foreach (var call in calls)
            {
                var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, call);
                Assert.Contains(hint, fault.Message, StringComparison.Ordinal);
                Assert.Null(fault.RetryAfter);
            }
            Assert.Equal(0, retries);
        }
    }

    [Fact]
    public async Task A_node_with_an_untrusted_certificate_does_not_stop_the_others()
    {
        await ReplaceServerAsync(new() { Certificate = _certificate });
        using var unknown = Make("CN=unknown");
        await using var untrusted = await QdrantServer.StartNewAsync(new() { Certificate = unknown });
        await using var store = await StoreAsync(options => options with
        {
            Urls = [$"{untrusted.Address}", $"{Server.Address}"],
            CertificateThumbprint = _certificate.GetCertHashString(HashAlgorithmName.SHA256),
        });
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_pinned_certificate_is_trusted()
    {
        var thumbprint = _certificate.GetCertHashString(HashAlgorithmName.SHA256);
        Assert.Null(await CheckAsync(options => options with { CertificateThumbprint = thumbprint }));
        var colons = string.Join(':', thumbprint.Chunk(2).Select(pair => new string(pair))).ToLowerInvariant();
        Assert.Null(await CheckAsync(options => options with { CertificateThumbprint = colons }));
        Assert.NotNull(await CheckAsync(options => options with { CertificateThumbprint = new string('0', 64) }));
    }

    [Fact]
    public async Task Only_the_configured_authority_is_trusted()
    {
        await File.WriteAllTextAsync(_file, _certificate.ExportCertificatePem());
        Assert.Null(await CheckAsync(options => options with { CaFile = _file }));
        using var other = Make("CN=other");
        await File.WriteAllTextAsync(_file, other.ExportCertificatePem());
        Assert.NotNull(await CheckAsync(options => options with { CaFile = _file }));
    }

    private async Task<string?> CheckAsync(Func<QdrantStoreOptions, QdrantStoreOptions> with)
    {
        if (Server.Address.Scheme != "https")
        {
            await ReplaceServerAsync(new() { Certificate = _certificate });
        }
        await using var store = await StoreAsync(with);
        return await store.CheckAsync(None);
    }

    private static X509Certificate2 Make(string name)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
