using Embeddings.Server.Security;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Tests.Security;

/// <summary>Settings of TLS and the files that they name.</summary>
public sealed class TlsOptionsTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TestAuthority _authority = new();
    private readonly TestCertificate _certificate;

    public TlsOptionsTests() => _certificate = _authority.Issue("CN=server");

    public void Dispose()
    {
        _certificate.Dispose();
        _authority.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Certificate_and_key_are_read_from_every_format()
    {
        var (certificate, key) = _certificate.Write(_folder, "server");
        var password = _folder.Write("password", "secret\nsecond line\n");
        TlsOptions[] all =
        [
            new() { CertificateFile = certificate, KeyFile = key },
            new() { CertificateFile = _folder.Write("both.pem", _certificate.KeyPem + _certificate.Pem) },
            new() { CertificateFile = certificate, KeyFile = _folder.Write("encrypted.key", _certificate.EncryptedKeyPem("secret")), PasswordFile = password },
            new() { CertificateFile = _folder.Write("server.pfx", _certificate.Pfx("secret")), PasswordFile = password },
            new() { CertificateFile = _folder.Write("open.pfx", _certificate.Pfx(null)) },
        ];
        Assert.All(all, options =>
        {
            Assert.Null(Failure(options));
            var material = TlsMaterial.Load(options, TlsFiles.Read(options), DateTimeOffset.UtcNow);
            Assert.Equal(_certificate.Certificate.Thumbprint, material.Certificate.Thumbprint);
            Assert.True(material.Certificate.HasPrivateKey);
        });
    }

    [Fact]
    public void Intermediate_certificates_are_sent()
    {
        using var team = new TestAuthority("team", _authority);
        using var leaf = team.Issue("CN=leaf");
        var options = new TlsOptions { CertificateFile = _folder.Write("chain.pem", leaf.Pem + team.Pem + "\n" + leaf.KeyPem) };
        var material = TlsMaterial.Load(options, TlsFiles.Read(options), DateTimeOffset.UtcNow);
        Assert.Equal("CN=leaf", material.Certificate.Subject);
        Assert.Contains(material.Context.IntermediateCertificates, sent => sent.Subject == "CN=team");
    }

    [Fact]
    public void A_file_that_cannot_be_used_is_named_with_the_reason()
    {
        var (certificate, key) = _certificate.Write(_folder, "server");
        using var other = _authority.Issue("CN=other");
        using var expired = _authority.Issue("CN=old", to: DateTimeOffset.UtcNow.AddDays(-1));
        var password = _folder.Write("password", "wrong");
        var expiredFile = _folder.Write("expired.pem", expired.Pem + expired.KeyPem);
        var missing = _folder.File("missing.crt");

        Expect(new() { CertificateFile = missing }, $"Server:Tls:CertificateFile '{missing}' cannot be read: the file does not exist.");
        Expect(new() { CertificateFile = _folder.Path }, $"Server:Tls:CertificateFile '{_folder.Path}' cannot be read: ");
        Expect(new() { CertificateFile = certificate }, "Server:Tls:KeyFile must be the file of the certificate's private key");
        Expect(new() { CertificateFile = certificate, KeyFile = certificate }, "must contain a private key (-----BEGIN PRIVATE KEY-----); it has none.");
        Expect(new() { CertificateFile = key, KeyFile = key }, "must contain a certificate (-----BEGIN CERTIFICATE-----); it has none.");
        Expect(
            new() { CertificateFile = certificate, KeyFile = _folder.Write("other.key", other.KeyPem) },
            "must be the private key of the certificate in Server:Tls:CertificateFile; it belongs to another certificate.");
        Expect(new() { CertificateFile = expiredFile }, $"Server:Tls:CertificateFile '{expiredFile}' must be a valid certificate; 'CN=old' expired on ");
        Expect(
            new() { CertificateFile = certificate, KeyFile = _folder.Write("encrypted.key", _certificate.EncryptedKeyPem("secret")) },
            "is encrypted; set Server:Tls:PasswordFile to the file with its password.");
        Expect(
            new() { CertificateFile = certificate, KeyFile = _folder.File("encrypted.key"), PasswordFile = password },
            "cannot be read with the password: ");
        Expect(new() { CertificateFile = certificate, KeyFile = key, PasswordFile = password }, "is not encrypted in PKCS #8; remove Server:Tls:PasswordFile.");
        Expect(
            new() { CertificateFile = _folder.Write("server.pfx", _certificate.Pfx("secret")), PasswordFile = password },
            "must be a PEM file, or a PFX file whose password is in Server:Tls:PasswordFile: ");
        Expect(new() { CertificateFile = _folder.File("server.pfx"), KeyFile = key }, "Server:Tls:KeyFile must not be set with a PFX file");
        Expect(new() { CertificateFile = _folder.Write("nonsense", "nonsense") }, "must be a PEM file, or a PFX file");
        Expect(
            new() { CertificateFile = certificate, KeyFile = key, ClientCaFile = key, ClientCertificates = CertificateRule.Required },
            "must contain a certificate (-----BEGIN CERTIFICATE-----); it has none.");
    }

    [Fact]
    public void Settings_that_do_not_fit_are_rejected()
    {
        var (certificate, key) = _certificate.Write(_folder, "server");
        Expect(new() { KeyFile = key }, "Server:Tls:KeyFile is set, but Server:Tls:CertificateFile is not");
        Expect(new() { ClientCertificates = CertificateRule.Required }, "Server:Tls:ClientCertificates is set, but Server:Tls:CertificateFile is not");
        Expect(
            new() { CertificateFile = certificate, KeyFile = key, ClientCertificates = CertificateRule.Required },
            "Server:Tls:ClientCertificates is Required, which needs the authorities of the clients' certificates.");
        Expect(
            new() { CertificateFile = certificate, KeyFile = key, ClientCaFile = certificate },
            "Server:Tls:ClientCaFile is set, but Server:Tls:ClientCertificates is None");
        Assert.Null(Failure(new()));
        Assert.Null(Failure(new() { CertificateFile = "", KeyFile = "" }));
    }

    private static void Expect(TlsOptions options, string message) =>
        Assert.Contains(message, Failure(options), StringComparison.Ordinal);

    private static string? Failure(TlsOptions options) =>
        new TlsOptions.Validator(TimeProvider.System).Validate(null, options) is { Failed: true } result ? result.FailureMessage : null;
}
