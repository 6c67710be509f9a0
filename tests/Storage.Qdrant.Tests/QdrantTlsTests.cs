using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
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
