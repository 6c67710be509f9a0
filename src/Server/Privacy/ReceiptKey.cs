using System.Security.Cryptography;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Embeddings.Server.Privacy;

/// <summary>A key that signs or verifies receipts: elliptic curve P-256, algorithm ES256.</summary>
internal sealed class ReceiptKey : IDisposable
{
    private const string P256 = "1.2.840.10045.3.1.7";

    private readonly ECDsa _ecdsa;
    private readonly ECDsaSecurityKey _key;

    private ReceiptKey(ECDsa ecdsa)
    {
        _ecdsa = ecdsa;
        // Its cache would keep the key of an earlier instance, which is disposed, under the same id.
        _key = new(ecdsa) { CryptoProviderFactory = new() { CacheSignatureProviders = false } };
        var jwk = JsonWebKeyConverter.ConvertFromECDsaSecurityKey(_key);
        Id = Base64UrlEncoder.Encode(jwk.ComputeJwkThumbprint());
        _key.KeyId = Id;
    }

    /// <summary>The thumbprint of the public key as a JSON Web Key (RFC 7638).</summary>
    public string Id { get; }

    /// <summary>Reads a private or public key from a PEM file.</summary>
    /// <exception cref="CryptographicException">The file has no key of this curve.</exception>
    public static ReceiptKey Read(string path)
    {
        var ecdsa = ECDsa.Create();
        try
        {
            ecdsa.ImportFromPem(File.ReadAllText(path));
            return ecdsa.ExportParameters(includePrivateParameters: false).Curve.Oid.Value == P256
                ? new(ecdsa)
                : throw new CryptographicException("has a key of another curve");
        }
        catch (ArgumentException e)
        {
            ecdsa.Dispose();
            throw new CryptographicException("has no such key", e);
        }
        catch
        {
            ecdsa.Dispose();
            throw;
        }
    }

    /// <summary>Returns the reason that a file has no private key to sign with, as the end of a sentence; null if it has.</summary>
    public static string? WhyUnusable(string path)
    {
        try
        {
            using var key = Read(path);
            return key._key.PrivateKeyStatus == PrivateKeyStatus.Exists || key.CanSign() ? null : "has only a public key";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return e is CryptographicException ? e.Message : $"cannot be read: {e.Message}";
        }
    }

    /// <summary>Signs a JSON object as a JSON Web Signature in compact form.</summary>
    public string Sign(string json) => Handler().CreateToken(json, new SigningCredentials(_key, SecurityAlgorithms.EcdsaSha256));

    /// <summary>Verifies a JSON Web Signature and returns its JSON object; null if it is not valid.</summary>
    public async Task<string?> VerifyAsync(string signature)
    {
        var result = await Handler().ValidateTokenAsync(signature, new TokenValidationParameters
        {
            IssuerSigningKey = _key,
            TryAllIssuerSigningKeys = true,
            ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
            // A receipt has neither, and does not expire.
            ValidateIssuer = false,
            ValidateAudience = false,
            ValidateLifetime = false,
            RequireExpirationTime = false,
        });
        return result.IsValid ? Base64UrlEncoder.Decode(((JsonWebToken)result.SecurityToken).EncodedPayload) : null;
    }

    public void Dispose() => _ecdsa.Dispose();

    private static JsonWebTokenHandler Handler() => new() { SetDefaultTimesOnTokenCreation = false };

    private bool CanSign()
    {
        try
        {
            return _ecdsa.SignHash(new byte[32]).Length > 0;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
