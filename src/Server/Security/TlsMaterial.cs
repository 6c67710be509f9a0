using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Embeddings.Server.Security;

/// <summary>The certificate that is served, and the authorities of the clients' certificates. Immutable.</summary>
/// <param name="Certificate">Certificate with its key.</param>
/// <param name="Context">Certificate with its intermediate certificates, as it is sent in handshakes.</param>
/// <param name="ClientAuthorities">Authorities of the clients' certificates.</param>
internal sealed record TlsMaterial(
    X509Certificate2 Certificate, SslStreamCertificateContext Context, X509Certificate2Collection ClientAuthorities)
{
    private const string CertificateFile = $"Server:Tls:{nameof(TlsOptions.CertificateFile)}";
    private const string KeyFile = $"Server:Tls:{nameof(TlsOptions.KeyFile)}";
    private const string ClientCaFile = $"Server:Tls:{nameof(TlsOptions.ClientCaFile)}";

    /// <summary>Time until which the certificate is valid.</summary>
    public DateTimeOffset Expires => Certificate.NotAfter.ToUniversalTime();

    /// <summary>Makes the material of the contents of the files.</summary>
    /// <exception cref="TlsException">
    /// A file has another format, the password is wrong, the key does not fit the certificate, or the certificate has expired.
    /// </exception>
    public static TlsMaterial Load(TlsOptions options, TlsFiles files, DateTimeOffset now)
    {
        var password = Password(files);
        var (certificate, others) = IsPem(files.Certificate)
            ? FromPem(options, files, password)
            : FromPfx(options, files, password);
        var expires = certificate.NotAfter.ToUniversalTime();
        if (expires <= now)
        {
            throw new TlsException(
                $"{CertificateFile} '{options.CertificateFile}' must be a valid certificate; '{certificate.Subject}' expired on "
                + $"{expires:yyyy-MM-dd HH:mm} UTC. Replace the file with a renewed certificate.");
        }
        // Offline: intermediate certificates come from the file and are not downloaded.
        var context = SslStreamCertificateContext.Create(certificate, others, offline: true);
        return new(certificate, context, Authorities(options, files));
    }

    private static (X509Certificate2 Certificate, X509Certificate2Collection Others) FromPem(
        TlsOptions options, TlsFiles files, string? password)
    {
        var text = Encoding.UTF8.GetString(files.Certificate);
        var others = new X509Certificate2Collection();
        try
        {
            others.ImportFromPem(text);
        }
        catch (CryptographicException e)
        {
            throw new TlsException($"{CertificateFile} '{options.CertificateFile}' must be certificates in PEM or PFX: {Why(e)}.", e);
        }
        if (others.Count == 0)
        {
            throw new TlsException(
                $"{CertificateFile} '{options.CertificateFile}' must contain a certificate (-----BEGIN CERTIFICATE-----); it has none.");
        }
        var keyFile = files.Key is null ? options.CertificateFile : options.KeyFile;
        var key = files.Key is null ? text : Encoding.UTF8.GetString(files.Key);
        if (!key.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
        {
            throw new TlsException(files.Key is null
                ? $"{KeyFile} must be the file of the certificate's private key, because {CertificateFile} '{keyFile}' does not "
                    + "contain one."
                : $"{KeyFile} '{keyFile}' must contain a private key (-----BEGIN PRIVATE KEY-----); it has none.");
        }
        try
        {
            var certificate = password is null
                ? X509Certificate2.CreateFromPem(text, key)
                : X509Certificate2.CreateFromEncryptedPem(text, key, password);
            return (Usable(certificate), others);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new TlsException($"{KeyFile} '{keyFile}' {KeyFailure(key, password, e)}", e);
        }
    }

    private static string KeyFailure(string key, string? password, Exception error)
    {
        if (password is null && key.Contains("BEGIN ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal))
        {
            return $"is encrypted; set Server:Tls:{nameof(TlsOptions.PasswordFile)} to the file with its password.";
        }
        if (password is not null && !key.Contains("BEGIN ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal))
        {
            return $"is not encrypted in PKCS #8; remove Server:Tls:{nameof(TlsOptions.PasswordFile)}.";
        }
        // The exception of a key that fits no certificate; the others have their cause inside.
        return error is ArgumentException
            ? $"must be the private key of the certificate in {CertificateFile}; it belongs to another certificate."
            : $"cannot be read{(password is null ? "" : " with the password")}: {Why(error.InnerException ?? error)}.";
    }

    private static (X509Certificate2 Certificate, X509Certificate2Collection Others) FromPfx(
        TlsOptions options, TlsFiles files, string? password)
    {
        if (files.Key is not null)
        {
            throw new TlsException(
                $"{KeyFile} must not be set with a PFX file, which contains the key; {CertificateFile} '{options.CertificateFile}' is "
                + "not PEM.");
        }
        X509Certificate2Collection all;
        try
        {
            all = X509CertificateLoader.LoadPkcs12Collection(files.Certificate, password);
        }
        catch (CryptographicException e)
        {
            throw new TlsException(
                $"{CertificateFile} '{options.CertificateFile}' must be a PEM file, or a PFX file whose password is in "
                + $"Server:Tls:{nameof(TlsOptions.PasswordFile)}: {Why(e)}.",
                e);
        }
        var certificate = all.FirstOrDefault(one => one.HasPrivateKey)
            ?? throw new TlsException($"{CertificateFile} '{options.CertificateFile}' must contain a private key; it has none.");
        all.Remove(certificate);
        return (certificate, all);
    }

    // Without one, no client certificate is asked for.
    private static X509Certificate2Collection Authorities(TlsOptions options, TlsFiles files)
    {
        var authorities = new X509Certificate2Collection();
        if (files.ClientCa is null)
        {
            return authorities;
        }
        try
        {
            authorities.ImportFromPem(Encoding.UTF8.GetString(files.ClientCa));
        }
        catch (CryptographicException e)
        {
            throw new TlsException($"{ClientCaFile} '{options.ClientCaFile}' must be certificates in PEM: {Why(e)}.", e);
        }
        return authorities.Count > 0
            ? authorities
            : throw new TlsException(
                $"{ClientCaFile} '{options.ClientCaFile}' must contain a certificate (-----BEGIN CERTIFICATE-----); it has none.");
    }

    // The first line, as openssl and other tools read a file with a password.
    private static string? Password(TlsFiles files)
    {
        if (files.Password is null)
        {
            return null;
        }
        using var reader = new StreamReader(new MemoryStream(files.Password), Encoding.UTF8);
        return reader.ReadLine() ?? "";
    }

    private static bool IsPem(byte[] file) => file.AsSpan().IndexOf("-----BEGIN "u8) >= 0;

    // Schannel cannot use a key that is only in memory.
    private static X509Certificate2 Usable(X509Certificate2 certificate) => OperatingSystem.IsWindows()
        ? X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null)
        : certificate;

    private static string Why(Exception error) => error.Message.ReplaceLineEndings(" ").TrimEnd('.');
}
