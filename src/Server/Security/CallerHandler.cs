using System.Security.Claims;
using System.Text.Encodings.Web;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Certificate;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using Microsoft.Net.Http.Headers;

namespace Embeddings.Server.Security;

/// <summary>
/// Authenticates calls: by an API key, a token, or a client certificate, in this order. Sets the <see cref="Caller"/> and its
/// <see cref="CallerSession"/> as features of the request.
/// </summary>
internal sealed class CallerHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options,
    ILoggerFactory loggers,
    UrlEncoder encoder,
    KeyRing keys,
    JwtOptions jwt,
    TimeProvider time,
    ILogger<CallerHandler> log)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, loggers, encoder)
{
    public const string SchemeName = "Caller";
    public const string KeyHeader = "x-api-key";

    private const string Bearer = "Bearer ";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        try
        {
            if (await FindAsync() is not { } session)
            {
                return AuthenticateResult.NoResult();
            }
            var caller = session.Renew();
            Context.Features.Set(caller);
            Context.Features.Set(session);
            var identity = new ClaimsIdentity([new(ClaimTypes.Name, caller.Name)], SchemeName);
            return AuthenticateResult.Success(new(new(identity), SchemeName));
        }
        catch (Fault fault)
        {
            // The framework keeps results of success only.
            Context.Features.Set(fault);
            return AuthenticateResult.Fail(fault);
        }
    }

    private async Task<CallerSession?> FindAsync()
    {
        var (own, authorization) = (Request.Headers[KeyHeader], Request.Headers[HeaderNames.Authorization]);
        if (own.Count + authorization.Count > 1)
        {
            throw AccessFaults.SchemeUnknown();
        }
        if (own.Count == 1)
        {
            return OfKey(own[0]!.Trim());
        }
        if (authorization.Count == 1)
        {
            var value = authorization[0]!;
            if (!value.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            {
                throw AccessFaults.SchemeUnknown();
            }
            var credentials = value[Bearer.Length..].Trim();
            // Header, claims, and signature; a key has no dots.
            return jwt.IsOn && credentials.Count(c => c == '.') == 2 ? await OfTokenAsync() : OfKey(credentials);
        }
        return Context.Connection.ClientCertificate is null ? null : await OfCertificateAsync();
    }

    private KeySession OfKey(string key)
    {
        var current = keys.Current;
        var found = current.Find(AccessKey.DigestOf(key)) ?? throw AccessFaults.KeyInvalid();
        return new(keys, current, found, time);
    }

    private async Task<TimedSession> OfTokenAsync()
    {
        AuthenticateResult result;
        try
        {
            result = await Context.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
        }
        catch (Exception e) when (!Context.RequestAborted.IsCancellationRequested)
        {
            ServerLog.IssuerUnavailable(log, e, jwt.Issuer!);
            throw AccessFaults.IssuerUnavailable();
        }
        if (!result.Succeeded)
        {
            throw ToFault(result.Failure);
        }
        var claims = result.Principal;
        if (claims.FindFirstValue(jwt.NameClaim) is not { Length: > 0 and <= KeysFile.MaxNameLength } name || name.Any(char.IsControl))
        {
            throw AccessFaults.TokenInvalid($"claim '{jwt.NameClaim}' must have 1 to {KeysFile.MaxNameLength} characters");
        }
        var access = Values(claims, jwt.AccessClaim).Select(KeysFile.AccessOf).Max() ?? Access.None;
        List<string> collections = [.. Values(claims, jwt.CollectionsClaim).Where(CollectionGlob.IsValid).Take(KeysFile.MaxCollections)];
        // No key has a name with a colon.
        var caller = new Caller($"token:{name}", access, collections, CallerLimits.None);
        var until = result.Properties.ExpiresUtc ?? throw AccessFaults.TokenInvalid("it has no expiry");
        return new(caller, until.AddSeconds(jwt.ClockSkewSeconds), time, AccessFaults.TokenExpired);
    }

    private async Task<CallerSession> OfCertificateAsync()
    {
        var result = await Context.AuthenticateAsync(CertificateAuthenticationDefaults.AuthenticationScheme);
        if (!result.Succeeded)
        {
            throw AccessFaults.CertificateInvalid();
        }
        var certificate = Context.Connection.ClientCertificate!;
        var (subject, until) = (certificate.SubjectName.Name, new DateTimeOffset(certificate.NotAfter));
        if (!keys.HasFile && !jwt.IsOn)
        {
            // Required certificates are the only authentication: whom the authority trusts, the server trusts.
            return new TimedSession(new(subject, Access.Manage, ["*"], CallerLimits.None), until, time, AccessFaults.CertificateInvalid);
        }
        var current = keys.Current;
        var found = current.Find(subject) ?? throw AccessFaults.CertificateUnknown(subject);
        return new KeySession(keys, current, found, time, until);
    }

    private static IEnumerable<string> Values(ClaimsPrincipal claims, string type) =>
        claims.FindAll(type).SelectMany(claim => claim.Value.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    // The messages of the library contain values of the token.
    private Fault ToFault(Exception? failure) => failure switch
    {
        SecurityTokenExpiredException => AccessFaults.TokenExpired(),
        SecurityTokenInvalidIssuerException => AccessFaults.TokenInvalid($"its issuer is not '{jwt.Issuer}'"),
        SecurityTokenInvalidAudienceException => AccessFaults.TokenInvalid($"its audience is not '{jwt.Audience}'"),
        SecurityTokenNotYetValidException => AccessFaults.TokenInvalid("it is not valid yet"),
        SecurityTokenNoExpirationException => AccessFaults.TokenInvalid("it has no expiry"),
        SecurityTokenInvalidAlgorithmException => AccessFaults.TokenInvalid("the algorithm of its signature is not accepted"),
        SecurityTokenInvalidSignatureException => AccessFaults.TokenInvalid("its signature is not of a key of the issuer"),
        _ => AccessFaults.TokenInvalid("it cannot be read"),
    };
}
