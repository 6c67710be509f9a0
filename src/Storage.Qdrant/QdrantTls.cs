using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Embeddings.Storage.Qdrant;

/// <summary>Whom to believe to be Qdrant.</summary>
internal static class QdrantTls
{
    public static SslClientAuthenticationOptions Options(QdrantStoreOptions options)
    {
        var tls = new SslClientAuthenticationOptions();
        if (options.CertificateThumbprint is { } thumbprint)
        {
            var expected = Convert.FromHexString(thumbprint.Replace(":", "", StringComparison.Ordinal));
            // The pin says more than a chain: name and authority may be anything.
            tls.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
                certificate is not null && CryptographicOperations.FixedTimeEquals(certificate.GetCertHash(HashAlgorithmName.SHA256), expected);
        }
        else if (options.CaFile is { } file)
        {
            var roots = new X509Certificate2Collection();
            roots.ImportFromPemFile(file);
            tls.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }
        return tls;
    }
}
