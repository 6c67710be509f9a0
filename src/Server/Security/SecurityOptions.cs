using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;

namespace Embeddings.Server.Security;

/// <summary>Authentication of callers. Section <c>Security</c>.</summary>
internal sealed record SecurityOptions
{
    /// <summary>
    /// Path of a JSON file with the digests of the API keys and the subjects of client certificates. Changes take effect
    /// without a restart.
    /// </summary>
    /// <value>Default: none. If neither this nor <c>Security:Jwt</c> is set, every client may do everything.</value>
    public string? KeysFile { get; init; }

    /// <summary>Interval at which the files of this section are read again, seconds.</summary>
    /// <value>Default: 2. From 1 to 3,600.</value>
    [Range(1, 3600)]
    public int ReloadSeconds { get; init; } = 2;
}

/// <summary>Tokens of an identity provider (JSON Web Tokens). Section <c>Security:Jwt</c>.</summary>
internal sealed record JwtOptions
{
    /// <summary>The issuer of the tokens (<c>iss</c>). Enables tokens.</summary>
    /// <value>Default: none, no tokens.</value>
    public string? Issuer { get; init; }

    /// <summary>The audience that tokens must have (<c>aud</c>).</summary>
    /// <value>Default: none. Required if <see cref="Issuer"/> is set.</value>
    public string? Audience { get; init; }

    /// <summary>Path of a file with the issuer's public keys (a JSON Web Key Set). Changes take effect without a restart.</summary>
    /// <value>Default: none. One of this, <see cref="JwksAddress"/>, and <see cref="Authority"/> is required.</value>
    public string? JwksFile { get; init; }

    /// <summary>URL of the issuer's public keys.</summary>
    /// <value>Default: none.</value>
    public string? JwksAddress { get; init; }

    /// <summary>
    /// URL of the identity provider, below which <c>/.well-known/openid-configuration</c> refers to its public keys.
    /// </summary>
    /// <value>Default: none.</value>
    public string? Authority { get; init; }

    /// <summary>Claim with the caller's access: <c>read</c>, <c>write</c>, or <c>manage</c>. Without it, a token has no access.</summary>
    /// <value>Default: <c>embeddings_access</c>.</value>
    [Required]
    public string AccessClaim { get; init; } = "embeddings_access";

    /// <summary>
    /// Claim with the caller's collections: globs, as a list or separated by spaces. Without it, a token covers no collection.
    /// </summary>
    /// <value>Default: <c>embeddings_collections</c>.</value>
    [Required]
    public string CollectionsClaim { get; init; } = "embeddings_collections";

    /// <summary>Claim with the caller's name, which the server writes as <c>token:NAME</c>.</summary>
    /// <value>Default: <c>sub</c>.</value>
    [Required]
    public string NameClaim { get; init; } = "sub";

    /// <summary>Maximum difference between the clocks of the server and the issuer, seconds.</summary>
    /// <value>Default: 30. From 0 to 300.</value>
    [Range(0, 300)]
    public int ClockSkewSeconds { get; init; } = 30;

    /// <summary>True if tokens are accepted.</summary>
    internal bool IsOn => !string.IsNullOrEmpty(Issuer);

    internal sealed class Validator : IValidateOptions<JwtOptions>
    {
        public ValidateOptionsResult Validate(string? name, JwtOptions options)
        {
            (string Setting, string? Value)[] sources =
            [
                (nameof(JwksFile), options.JwksFile),
                (nameof(JwksAddress), options.JwksAddress),
                (nameof(Authority), options.Authority),
            ];
            var set = sources.Where(source => !string.IsNullOrEmpty(source.Value)).ToList();
            if (!options.IsOn)
            {
                return set.Count == 0 && string.IsNullOrEmpty(options.Audience)
                    ? ValidateOptionsResult.Success
                    : ValidateOptionsResult.Fail("Security:Jwt:Issuer must be set, too, to accept tokens.");
            }
            if (string.IsNullOrEmpty(options.Audience))
            {
                return ValidateOptionsResult.Fail(
                    "Security:Jwt:Audience is required with Security:Jwt:Issuer: otherwise, tokens for other services would be accepted.");
            }
            if (set.Count != 1)
            {
                return ValidateOptionsResult.Fail(
                    "Exactly one of Security:Jwt:JwksFile, Security:Jwt:JwksAddress, and Security:Jwt:Authority is required; "
                    + $"got {set.Count}.");
            }
            var (setting, value) = set[0];
            return setting == nameof(JwksFile) || IsSecure(value!)
                ? ValidateOptionsResult.Success
                : ValidateOptionsResult.Fail(
                    $"Security:Jwt:{setting} must be an https:// URL, or an http:// URL of this machine; got '{value}'.");
        }

        // Whoever can change the keys in transit can make tokens.
        private static bool IsSecure(string url) =>
            Uri.TryCreate(url, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && IsLoopback(uri)));

        private static bool IsLoopback(Uri uri) =>
            uri.IsLoopback || (IPAddress.TryParse(uri.DnsSafeHost, out var address) && IPAddress.IsLoopback(address));
    }
}
