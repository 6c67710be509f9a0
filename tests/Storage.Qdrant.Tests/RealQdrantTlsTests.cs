using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;


namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>A real Qdrant with TLS, under a certificate authority made here, and an API key.</summary>
public sealed class RealQdrantTlsTests : IDisposable
{
    private const string Key = "right-key";
    private const string Name = "c";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [ToolFact("QDRANT_BINARY")]
    public async Task The_right_key_and_authority_are_accepted_and_others_are_typed_errors()
    {
        using var authority = MakeAuthority("CN=tests");
        using var other = MakeAuthority("CN=other");
        var (certificate, key) = MakeCertificate(authority);
        await using var qdrant = await QdrantNode.StartAsync(new Dictionary<string, string>
        {
            ["QDRANT__SERVICE__ENABLE_TLS"] = "true",
            ["QDRANT__SERVICE__API_KEY"] = Key,
            ["QDRANT__TLS__CERT"] = Write("server.pem", certificate),
            ["QDRANT__TLS__KEY"] = Write("server.key", key),
        });
        var trusted = Write("ca.pem", authority.ExportCertificatePem());
        var untrusted = Write("other.pem", other.ExportCertificatePem());

        await using (var store = await StoreAsync(trusted, Key))
        {
            Assert.Null(await store.CheckAsync(None));
            await store.EnsureCollectionAsync(new(Name, 2, null), None);
            await store.UpsertAsync(Name, [VectorStoreContract.Point("p", [1, 0])], None);
            Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
        }
        Assert.Contains("rejected the API key", await FaultAsync(trusted, "wrong-key"), StringComparison.Ordinal);
        Assert.Contains("rejected the API key", await FaultAsync(trusted, null), StringComparison.Ordinal);
        Assert.Contains("certificate", await FaultAsync(untrusted, Key), StringComparison.Ordinal);
        Assert.Contains("certificate", await FaultAsync(null, Key), StringComparison.Ordinal);

        Task<QdrantVectorStore> StoreAsync(string? caFile, string? apiKey) =>
            QdrantStores.StartAsync(qdrant.Address, options => options with { CaFile = caFile, ApiKey = apiKey, ReadRetrySeconds = 0 });

        async Task<string> FaultAsync(string? caFile, string? apiKey)
        {
            await using var store = await StoreAsync(caFile, apiKey);
            var fault = await Assert.ThrowsAsync<Fault>(() => store.CountAsync(Name, PointFilter.All, None));
            Assert.Equal((FaultKind.Unavailable, Reasons.StoreUnavailable), (fault.Kind, fault.Reason));
            Assert.NotNull(await store.CheckAsync(None));
            return fault.Message;
        }
    }

    private string Write(string name, string text)
    {
        var file = Path.Combine(_directory.Path, name);
        File.WriteAllText(file, text);
        return file;
    }

    private static X509Certificate2 MakeAuthority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
    }

    private static (string Certificate, string Key) MakeCertificate(X509Certificate2 authority)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=qdrant", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.Create(authority, now.AddHours(-1), now.AddDays(1), RandomNumberGenerator.GetBytes(8));
        return (certificate.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }
}
