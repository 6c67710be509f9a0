using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Embeddings.Client.Calls;

/// <summary>Trusted authorities and the client certificate of the options.</summary>
internal static class ClientTls
{
    private static readonly string[] Files =
    [
        nameof(EmbeddingsClientOptions.CaFile),
        nameof(EmbeddingsClientOptions.ClientCertificateFile),
        nameof(EmbeddingsClientOptions.ClientKeyFile),
    ];

    /// <summary>Sets the options of TLS that the files define.</summary>
    public static void Configure(SslClientAuthenticationOptions tls, EmbeddingsClientOptions options)
    {
        if (!string.IsNullOrEmpty(options.CaFile))
        {
            tls.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                // Private authorities rarely publish revocations.
                RevocationMode = X509RevocationMode.NoCheck,
            };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(options));
        }

        if (!string.IsNullOrEmpty(options.ClientCertificateFile))
        {
            var (certificate, others) = Certificate(options);
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, others, offline: true);
        }
    }

    /// <summary>Returns what is wrong with the files.</summary>
    /// <param name="options">Options to check.</param>
    /// <param name="hasTls">Whether the addresses use https.</param>
    public static IEnumerable<string> Failures(EmbeddingsClientOptions options, bool hasTls)
    {
        string?[] paths = [options.CaFile, options.ClientCertificateFile, options.ClientKeyFile];
        var given = Files.Where((_, i) => !string.IsNullOrEmpty(paths[i])).ToList();
        if (given.Count == 0)
        {
            yield break;
        }

        if (options.HttpHandler is not null)
        {
            yield return $"{given[0]} must not be set with HttpHandler, which has its own settings of TLS.";
        }
        else if (!hasTls)
        {
            yield return $"{given[0]} requires https:// addresses; got {string.Join(", ", options.Addresses)}.";
        }
        else if (string.IsNullOrEmpty(options.ClientCertificateFile) && !string.IsNullOrEmpty(options.ClientKeyFile))
        {
            yield return "ClientKeyFile requires ClientCertificateFile, the file of its certificate.";
        }
        else if (Failure(options) is { } failure)
        {
            yield return failure;
        }
    }

    private static string? Failure(EmbeddingsClientOptions options)
    {
        try
        {
            if (!string.IsNullOrEmpty(options.CaFile) && Authorities(options).Count == 0)
            {
                return $"CaFile must contain a certificate in PEM (-----BEGIN CERTIFICATE-----); '{options.CaFile}' has none.";
            }
        }
        catch (Exception error) when (IsOfFile(error))
        {
            return $"CaFile '{options.CaFile}' cannot be read: {error.Message}";
        }

        try
        {
            if (!string.IsNullOrEmpty(options.ClientCertificateFile))
            {
                Certificate(options).Certificate.Dispose();
            }
        }
        catch (Exception error) when (IsOfFile(error))
        {
            var key = string.IsNullOrEmpty(options.ClientKeyFile) ? "" : $" with ClientKeyFile '{options.ClientKeyFile}'";
            return $"ClientCertificateFile '{options.ClientCertificateFile}'{key} cannot be used: {error.Message}";
        }

        return null;
    }

    private static bool IsOfFile(Exception error) =>
        error is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException or NotSupportedException;

    private static X509Certificate2Collection Authorities(EmbeddingsClientOptions options)
    {
        var authorities = new X509Certificate2Collection();
        authorities.ImportFromPemFile(options.CaFile!);
        return authorities;
    }

    private static (X509Certificate2 Certificate, X509Certificate2Collection Others) Certificate(EmbeddingsClientOptions options)
    {
        var key = string.IsNullOrEmpty(options.ClientKeyFile) ? null : options.ClientKeyFile;
        var certificate = X509Certificate2.CreateFromPemFile(options.ClientCertificateFile!, key);
        var others = new X509Certificate2Collection();
        others.ImportFromPemFile(options.ClientCertificateFile!);
        return (Usable(certificate), others);
    }

    // Schannel cannot use a key that is only in memory.
    private static X509Certificate2 Usable(X509Certificate2 certificate)
    {
        if (!OperatingSystem.IsWindows())
        {
            return certificate;
        }

        var pfx = certificate.Export(X509ContentType.Pkcs12);
#if NET9_0_OR_GREATER
        return X509CertificateLoader.LoadPkcs12(pfx, null);
#else
        return new X509Certificate2(pfx);
#endif
    }
}
