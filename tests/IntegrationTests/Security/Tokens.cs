using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Embeddings.IntegrationTests.Security;

/// <summary>An identity provider: a key, its public part, and tokens.</summary>
internal sealed class Tokens : IDisposable
{
    public const string Issuer = "https://issuer.test";
    public const string Audience = "embeddings";

    private readonly RSA _rsa = RSA.Create(2048);

    /// <summary>The public keys as a JSON Web Key Set.</summary>
    public string Jwks
    {
        get
        {
            var key = _rsa.ExportParameters(false);
            return JsonSerializer.Serialize(new
            {
                keys = new[]
                {
                    new
                    {
                        kty = "RSA", use = "sig", kid = Id, n = Base64UrlEncoder.Encode(key.Modulus), e = Base64UrlEncoder.Encode(key.Exponent),
                    },
                },
            });
        }
    }

    private string Id { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Issues a token.</summary>
    /// <param name="access">Value of <c>embeddings_access</c>; null for no such claim.</param>
    /// <param name="collections">Value of <c>embeddings_collections</c>.</param>
    /// <param name="issuer">Issuer.</param>
    /// <param name="audience">Audience.</param>
    /// <param name="expires">Time until it expires.</param>
    /// <param name="credentials">Key and algorithm; null for the provider's own.</param>
    public string Issue(
        string? access,
        string[]? collections = null,
        string issuer = Issuer,
        string audience = Audience,
        TimeSpan? expires = null,
        SigningCredentials? credentials = null)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var until = now + (expires ?? TimeSpan.FromMinutes(30));
        Dictionary<string, object> claims = new() { ["sub"] = "alice" };
        if (access is not null)
        {
            claims["embeddings_access"] = access;
        }
        if (collections is not null)
        {
            claims["embeddings_collections"] = collections;
        }
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            NotBefore = until.AddHours(-2),
            IssuedAt = until.AddHours(-2),
            Expires = until,
            Claims = claims,
            SigningCredentials = credentials ?? new(new RsaSecurityKey(_rsa) { KeyId = Id }, SecurityAlgorithms.RsaSha256),
        });
    }

    public void Dispose() => _rsa.Dispose();
}
