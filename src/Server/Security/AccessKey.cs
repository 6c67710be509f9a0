using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Embeddings.Server.Security;

/// <summary>An entry of the keys file: an API key, of which only the digest is known, or the subject of client certificates.</summary>
/// <param name="Name">Unique name.</param>
/// <param name="Digest">SHA-256 of the key, 32 bytes; null for a certificate.</param>
/// <param name="Subject">Subject of the certificates; null for an API key.</param>
/// <param name="Access">The rights.</param>
/// <param name="Collections">Globs of the collections.</param>
/// <param name="Expires">Time from which it is not accepted; null for never.</param>
/// <param name="Limits">The limits of the caller.</param>
internal sealed record AccessKey(
    string Name,
    byte[]? Digest,
    string? Subject,
    Access Access,
    IReadOnlyList<string> Collections,
    DateTimeOffset? Expires,
    CallerLimits Limits)
{
    /// <summary>The beginning of generated keys, by which secret scanners recognize them.</summary>
    public const string Prefix = "emb_";

    private const int KeyBytes = 32;

    /// <summary>The caller that it makes.</summary>
    public Caller Caller { get; } = new(Name, Access, Collections, Limits);

    /// <summary>Returns a new random key of 256 bits: <c>emb_</c> and 43 characters of base64url.</summary>
    public static string NewKey() =>
        Prefix + System.Buffers.Text.Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(KeyBytes));

    public static byte[] DigestOf(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    /// <summary>
    /// Returns one spelling of a subject, which can be compared, or null if the text is no distinguished name.
    /// </summary>
    public static string? Normalize(string subject)
    {
        try
        {
            // From the encoded form, as the name of a certificate; the other constructor keeps the spelling.
            return new X500DistinguishedName(subject).RawData is { Length: > 2 } encoded ? new X500DistinguishedName(encoded).Name : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
