using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Certificate;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Security;

/// <summary>Registration of authentication and authorization.</summary>
internal static class AccessRegistration
{
    private const string ClientCertificates = "Server:Tls:ClientCertificates";

    /// <summary>The setting with the authorities of client certificates.</summary>
    private const string ClientCaFile = "Server:Tls:ClientCaFile";

    /// <summary>
    /// True if calls need a caller: API keys or tokens are configured, or client certificates are required.
    /// </summary>
    public static bool IsOn(IConfiguration configuration) =>
        !string.IsNullOrEmpty(configuration["Security:KeysFile"])
        || !string.IsNullOrEmpty(configuration["Security:Jwt:Issuer"])
        || string.Equals(configuration[ClientCertificates], "Required", StringComparison.OrdinalIgnoreCase);

    /// <summary>Adds authentication if it is configured; without it, every caller may do everything.</summary>
    public static IServiceCollection AddAccess(this IServiceCollection services, IConfiguration configuration)
    {
        // Decided before the container exists: the pipeline of a server without authentication has no trace of it.
        if (!IsOn(configuration))
        {
            return services;
        }
        services
            .AddSingleton<KeyRing>()
            .AddSingleton<JwksFile>()
            .AddSingleton(services => new ClientAuthorities(
                configuration[ClientCaFile], services.GetRequiredService<IOptionsMonitorCache<CertificateAuthenticationOptions>>()))
            .AddSingleton<IWatchedFile>(services => services.GetRequiredService<KeyRing>())
            .AddSingleton<IWatchedFile>(services => services.GetRequiredService<JwksFile>())
            .AddSingleton<IWatchedFile>(services => services.GetRequiredService<ClientAuthorities>())
            .AddHostedService<SecurityFiles>()
            .AddSingleton<IAuthorizationMiddlewareResultHandler, AccessRefusals>()
            .AddSingleton<IConfigureOptions<JwtBearerOptions>, JwtSetup>()
            .AddAuthorizationBuilder()
            .SetFallbackPolicy(AccessPolicy.Create());
        services.AddAuthentication(CallerHandler.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, CallerHandler>(CallerHandler.SchemeName, null)
            .AddJwtBearer()
            .AddCertificate()
            // Building the chain of a certificate takes longer than most calls.
            .AddCertificateCache();
        services.AddOptions<CertificateAuthenticationOptions>(CertificateAuthenticationDefaults.AuthenticationScheme)
            .Configure<ClientAuthorities>((options, authorities) =>
            {
                options.AllowedCertificateTypes = CertificateTypes.All;
                options.ChainTrustValidationMode = X509ChainTrustMode.CustomRootTrust;
                options.CustomTrustStore = authorities.Certificates;
                // No look-ups over the network during a call; a certificate is revoked by its entry.
                options.RevocationMode = X509RevocationMode.NoCheck;
            });
        return services;
    }

    /// <summary>Adds authentication to the pipeline, if it is configured.</summary>
    public static void UseAccess(this WebApplication app)
    {
        if (!IsOn(app.Configuration))
        {
            return;
        }
        // Without rights until authentication has found the caller.
        app.Use((context, next) =>
        {
            context.Features.Set(Caller.Unauthenticated);
            return next(context);
        });
        app.UseAuthentication();
        app.UseAuthorization();
    }
}

/// <summary>The authorities of client certificates (<c>Server:Tls:ClientCaFile</c>), which the TLS handshake checks, too.</summary>
internal sealed class ClientAuthorities : IWatchedFile
{
    private readonly WatchedFile<X509Certificate2Collection>? _file;

    public ClientAuthorities(string? path, IOptionsMonitorCache<CertificateAuthenticationOptions> options)
    {
        if (!string.IsNullOrEmpty(path))
        {
            _file = new(path, Parse, _ => options.Clear());
        }
    }

    public X509Certificate2Collection Certificates => _file?.Current ?? [];

    public void Refresh(ILogger log) => _file?.Refresh(log);

    private static X509Certificate2Collection Parse(byte[] content, string path)
    {
        X509Certificate2Collection certificates = [];
        try
        {
            certificates.ImportFromPem(System.Text.Encoding.UTF8.GetString(content));
        }
        catch (CryptographicException e)
        {
            throw new SecurityFileException($"{path} has a certificate that cannot be read: {e.Message}", e);
        }
        return certificates.Count > 0 ? certificates : throw new SecurityFileException($"{path} must have at least one certificate in PEM.");
    }
}
