using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Embeddings.Testing;

/// <summary>A certificate authority of a test.</summary>
public sealed class TestAuthority : IDisposable
{
    public const string Server = "1.3.6.1.5.5.7.3.1";
    public const string Client = "1.3.6.1.5.5.7.3.2";

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public TestAuthority(string name = "test CA", TestAuthority? issuer = null)
    {
        var request = new CertificateRequest($"CN={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var from = DateTimeOffset.UtcNow.AddDays(-400);
        var to = DateTimeOffset.UtcNow.AddDays(4000);
        if (issuer is null)
        {
            Certificate = request.CreateSelfSigned(from, to);
        }
        else
        {
            using var issued = request.Create(issuer.Certificate, from, to.AddDays(-1), RandomNumberGenerator.GetBytes(8));
            Certificate = issued.CopyWithPrivateKey(_key);
        }
    }

    public X509Certificate2 Certificate { get; }

    public string Pem => Certificate.ExportCertificatePem();

    /// <summary>Issues a certificate for this machine, or for a client.</summary>
    public TestCertificate Issue(
        string subject = "CN=localhost", string usage = Server, DateTimeOffset? from = null, DateTimeOffset? to = null)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(
            Certificate,
            from ?? DateTimeOffset.UtcNow.AddDays(-100),
            to ?? DateTimeOffset.UtcNow.AddDays(365),
            RandomNumberGenerator.GetBytes(8));
        return new(issued.CopyWithPrivateKey(key), key);
    }

    public void Dispose()
    {
        Certificate.Dispose();
        _key.Dispose();
    }
}

/// <summary>A certificate with its key.</summary>
public sealed class TestCertificate(X509Certificate2 certificate, ECDsa key) : IDisposable
{
    public X509Certificate2 Certificate => certificate;

    public string Pem => certificate.ExportCertificatePem() + "\n";

    public string KeyPem => key.ExportPkcs8PrivateKeyPem() + "\n";

    public string EncryptedKeyPem(string password) => key.ExportEncryptedPkcs8PrivateKeyPem(
        password, new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)) + "\n";

    public byte[] Pfx(string? password) => certificate.Export(X509ContentType.Pkcs12, password);

    /// <summary>Writes certificate and key to PEM files and returns their paths.</summary>
    public (string Certificate, string Key) Write(TempFolder folder, string name) =>
        (folder.Write($"{name}.crt", Pem), folder.Write($"{name}.key", KeyPem));

    public void Dispose()
    {
        certificate.Dispose();
        key.Dispose();
    }
}
