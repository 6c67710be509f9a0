using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Embeddings.Server.Security;

/// <summary>
/// The handshakes of both ports: TLS 1.2 and 1.3, with the material that is in use when a connection opens. The certificate of the
/// client is validated here; the verdict becomes a feature of the connection, which <see cref="CertificateGate"/> enforces.
/// </summary>
internal sealed class TlsHandshake(TlsOptions options, TlsCertificates certificates, ILogger<TlsHandshake> log)
{
    /// <summary>Options of a port.</summary>
    /// <param name="isForGrpc">
    /// Whether it is the port of gRPC. On the port of HTTP, probes, which have no certificate, are served where certificates are
    /// required.
    /// </param>
    public TlsHandshakeCallbackOptions For(bool isForGrpc) => new()
    {
        OnConnection = context => ValueTask.FromResult(Start(context.Connection, isForGrpc)),
    };

    private SslServerAuthenticationOptions Start(ConnectionContext connection, bool isForGrpc)
    {
        var material = certificates.Current;
        var handshake = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = material.Context,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        };
        if (options.ClientCertificates == CertificateRule.None)
        {
            return handshake;
        }
        // Asks for a certificate; the verdict says whether the connection can be without one.
        handshake.ClientCertificateRequired = true;
        handshake.CertificateChainPolicy = new()
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            // No handshake waits for another server.
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        handshake.CertificateChainPolicy.CustomTrustStore.AddRange(material.ClientAuthorities);
        // Until the certificate is validated. Without a verdict, nothing is served.
        connection.Features.Set(new CertificateVerdict(Missing(), isForGrpc));
        handshake.RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
        {
            var verdict = Judge(certificate, chain, errors, isForGrpc);
            connection.Features.Set(verdict);
            if (verdict is { Refusal: { } refusal, ExceptProbes: false })
            {
                ServerLog.ClientCertificateRefused(log, connection.RemoteEndPoint, refusal.Message);
            }
            return true;
        };
        return handshake;
    }

    private CertificateVerdict Judge(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, bool isForGrpc)
    {
        if (certificate is null)
        {
            return options.ClientCertificates == CertificateRule.Required
                ? new(Missing(), ExceptProbes: !isForGrpc)
                : new(null, ExceptProbes: false);
        }
        // A certificate of a client has no name to compare.
        if ((errors & ~SslPolicyErrors.RemoteCertificateNameMismatch) == SslPolicyErrors.None)
        {
            return new(null, ExceptProbes: false);
        }
        var fault = new Fault(
            FaultKind.Unauthenticated,
            Reasons.CertificateInvalid,
            $"The client certificate '{certificate.Subject}' {Why(chain)}. Use a certificate that is valid now, for client authentication, "
            + "and issued by an authority that the server accepts (Server:Tls:ClientCaFile).");
        return new(fault, ExceptProbes: false);
    }

    private static Fault Missing() => new(
        FaultKind.Unauthenticated,
        Reasons.CertificateMissing,
        "A client certificate is required (Server:Tls:ClientCertificates), and the client sent none. Set the certificate and the key of "
        + "the client.");

    private static string Why(X509Chain? chain)
    {
        var all = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (sum, status) => sum | status.Status)
            ?? X509ChainStatusFlags.PartialChain;
        return (all & (X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.UntrustedRoot)) != 0
            ? "was not issued by an accepted authority"
            : (all & X509ChainStatusFlags.NotTimeValid) != 0 ? "has expired or is not valid yet"
            : (all & X509ChainStatusFlags.NotValidForUsage) != 0 ? "is not for client authentication"
            : $"is not valid: {all}";
    }
}

/// <summary>The result of the validation of a client's certificate.</summary>
/// <param name="Refusal">The reason that nothing is served on the connection, or null if the certificate, or none, is accepted.</param>
/// <param name="ExceptProbes">Whether probes are served in spite of the refusal.</param>
internal sealed record CertificateVerdict(Fault? Refusal, bool ExceptProbes);
