using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Security;

/// <summary>TLS of both ports. Section <c>Server:Tls</c>. Changed files are loaded while the server runs.</summary>
internal sealed record TlsOptions
{
    /// <summary>
    /// Certificate of the server with its intermediate certificates: a PEM file, or a PFX file (PKCS #12) that contains the key.
    /// It turns TLS on.
    /// </summary>
    /// <value>Default: none, without TLS.</value>
    public string? CertificateFile { get; init; }

    /// <summary>Private key of a certificate in PEM, in a PEM file; none if the certificate's file contains it.</summary>
    /// <value>Default: none.</value>
    public string? KeyFile { get; init; }

    /// <summary>File whose first line is the password of the PFX file or of the encrypted key.</summary>
    /// <value>Default: none, without a password.</value>
    public string? PasswordFile { get; init; }

    /// <summary>PEM file of the certificate authorities of the clients' certificates.</summary>
    /// <value>Default: none.</value>
    public string? ClientCaFile { get; init; }

    /// <summary>
    /// Certificates of clients (mutual TLS). <c>Required</c> does not apply to <c>/healthz</c> and <c>/readyz</c> on the port of HTTP,
    /// because probes have no certificates.
    /// </summary>
    /// <value>Default: <c>None</c>.</value>
    [EnumDataType(typeof(CertificateRule))]
    public CertificateRule ClientCertificates { get; init; } = CertificateRule.None;

    /// <summary>True if the ports use TLS.</summary>
    internal bool IsOn => !string.IsNullOrEmpty(CertificateFile);

    internal sealed class Validator(TimeProvider time) : IValidateOptions<TlsOptions>
    {
        public ValidateOptionsResult Validate(string? name, TlsOptions options) => Failure(options) is { } failure
            ? ValidateOptionsResult.Fail(failure)
            : ValidateOptionsResult.Success;

        private string? Failure(TlsOptions options)
        {
            if (!options.IsOn)
            {
                var needless = options switch
                {
                    { KeyFile.Length: > 0 } => nameof(KeyFile),
                    { PasswordFile.Length: > 0 } => nameof(PasswordFile),
                    { ClientCaFile.Length: > 0 } => nameof(ClientCaFile),
                    { ClientCertificates: not CertificateRule.None } => nameof(ClientCertificates),
                    _ => null,
                };
                return needless is null
                    ? null
                    : $"Server:Tls:{needless} is set, but Server:Tls:CertificateFile is not, so that the ports would be without "
                        + $"TLS. Set Server:Tls:CertificateFile, or remove Server:Tls:{needless}.";
            }
            if (options.ClientCertificates != CertificateRule.None && string.IsNullOrEmpty(options.ClientCaFile))
            {
                return $"Server:Tls:ClientCertificates is {options.ClientCertificates}, which needs the authorities of the clients' "
                    + "certificates. Set Server:Tls:ClientCaFile to their PEM file.";
            }
            if (options.ClientCertificates == CertificateRule.None && options.ClientCaFile is { Length: > 0 })
            {
                return "Server:Tls:ClientCaFile is set, but Server:Tls:ClientCertificates is None, so that clients are not asked for "
                    + "certificates. Set Server:Tls:ClientCertificates to Optional or Required, or remove Server:Tls:ClientCaFile.";
            }
            try
            {
                TlsMaterial.Load(options, TlsFiles.Read(options), time.GetUtcNow());
                return null;
            }
            catch (TlsException e)
            {
                return e.Message;
            }
        }
    }
}

/// <summary>Rules for the certificates of clients.</summary>
internal enum CertificateRule
{
    /// <summary>Clients are not asked for certificates.</summary>
    None,

    /// <summary>A client may send a certificate, which must be valid.</summary>
    Optional,

    /// <summary>Calls of clients without a valid certificate are refused.</summary>
    Required,
}
