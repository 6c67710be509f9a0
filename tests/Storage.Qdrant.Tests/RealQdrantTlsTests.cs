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
            await QdrantTestBase.UntilAsync(async () => await store.CheckAsync(None) is null);
            await store.EnsureCollectionAsync(new(Name, 2, null), None);
            await store.UpsertAsync(Name, [VectorStoreContract.Point("p", [1, 0])], None);
            Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
        }
        Assert.Contains("rejected the API key", await FaultAsync(qdrant.Address, trusted, "wrong-key"), StringComparison.Ordinal);
        Assert.Contains("rejected the API key", await FaultAsync(qdrant.Address, trusted, null), StringComparison.Ordinal);
        Assert.Contains("CaFile", await FaultAsync(qdrant.Address, untrusted, Key), StringComparison.Ordinal);
        Assert.Contains("CaFile", await FaultAsync(qdrant.Address, null, Key), StringComparison.Ordinal);
        Assert.Contains("use https://", await FaultAsync(With(qdrant.Address, "http"), null, Key), StringComparison.Ordinal);

        Task<QdrantVectorStore> StoreAsync(string? caFile, string? apiKey) =>
            QdrantStores.StartAsync(qdrant.Address, options => options with { CaFile = caFile, ApiKey = apiKey });
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task A_wrong_scheme_or_port_is_reported_at_once()
    {
        await using var qdrant = await QdrantNode.StartAsync();
        Assert.Contains("use http://", await FaultAsync(With(qdrant.Address, "https"), null, null), StringComparison.Ordinal);
        Assert.Contains("6334", await FaultAsync(qdrant.HttpAddress, null, null), StringComparison.Ordinal);
    }

    private static Uri With(Uri address, string scheme) => new UriBuilder(address) { Scheme = scheme }.Uri;

    /// <summary>Returns the message of the fault, which must come without a retry.</summary>
    private static async Task<string> FaultAsync(Uri address, string? caFile, string? apiKey)
    {
        const int CallRetried = 4102;
        var retries = 0;
        var log = new EventLog((id, _) => retries += id == CallRetried ? 1 : 0);
        await using var store = await QdrantStores.StartAsync(
            address, options => options with { CaFile = caFile, ApiKey = apiKey }, log: log);
        var fault = await Assert.ThrowsAsync<Fault>(() => store.CountAsync(Name, PointFilter.All, None));
        Assert.True((FaultKind.Unavailable, Reasons.StoreUnavailable, 0) == (fault.Kind, fault.Reason, retries), $"{retries} retries, {fault}");
        Assert.NotNull(await store.CheckAsync(None));
        return fault.Message;
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
