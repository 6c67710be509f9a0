using System.Net;
using Embeddings.Server.Hosting;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Security;

/// <summary>
/// Requirements for listening on an address that other machines can reach: TLS and authentication, or the setting that allows it
/// without.
/// </summary>
internal static class ExposureRules
{
    /// <summary>True if reflection is served: as the setting says, or if callers need no authentication.</summary>
    public static bool ReflectionOn(ServerOptions server, bool authenticationOn) => server.Reflection ?? !authenticationOn;

    /// <summary>Checks the address to listen on.</summary>
    /// <exception cref="OptionsValidationException">TLS or authentication is missing; the message says what to set.</exception>
    public static void Require(ServerOptions server, TlsOptions tls, bool authenticationOn)
    {
        if (Failure(server, tls, authenticationOn) is { } failure)
        {
            throw new OptionsValidationException("", typeof(ServerOptions), [failure]);
        }
    }

    /// <summary>Returns the reason that the server must not start, or null.</summary>
    public static string? Failure(ServerOptions server, TlsOptions tls, bool authenticationOn) =>
        server.AllowInsecure || Missing(server, tls, authenticationOn) is not { } missing
            ? null
            : $"Server:Listen is '{server.Listen}', which other machines can reach, and the server is without {missing}. "
                + $"{Remedy(tls, authenticationOn)} If the network is trusted or a proxy does this, set Server:AllowInsecure to true; "
                + "for this machine only, set Server:Listen to 127.0.0.1.";

    /// <summary>Returns what is missing on an address that other machines can reach; null if nothing is.</summary>
    public static string? Missing(ServerOptions server, TlsOptions tls, bool authenticationOn) =>
        (IsLocal(server), tls.IsOn, authenticationOn) switch
        {
            (true, _, _) or (_, true, true) => null,
            (_, true, false) => "authentication",
            (_, false, true) => "TLS",
            _ => "TLS and authentication",
        };

    private static string Remedy(TlsOptions tls, bool authenticationOn)
    {
        string[] steps =
        [
            .. tls.IsOn ? Array.Empty<string>() : ["Server:Tls:CertificateFile and Server:Tls:KeyFile to a certificate and its key"],
            .. authenticationOn
                ? Array.Empty<string>()
                : ["Security:KeysFile to a file of API keys, Security:Jwt, or Server:Tls:ClientCertificates to Required"],
        ];
        return $"Set {string.Join("; and set ", steps)}.";
    }

    private static bool IsLocal(ServerOptions server) =>
        ServerOptions.AddressOf(server.Listen) is { } address && IPAddress.IsLoopback(address);
}
