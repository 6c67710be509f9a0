using System.Collections.Frozen;
using System.Security.Cryptography;

namespace Embeddings.Server.Security;

/// <summary>The API keys and client certificates of <c>Security:KeysFile</c>, as it is now.</summary>
internal sealed class KeyRing : IWatchedFile
{
    private readonly WatchedFile<KeySet>? _file;

    public KeyRing(SecurityOptions options)
    {
        if (!string.IsNullOrEmpty(options.KeysFile))
        {
            _file = new(options.KeysFile, (content, path) => new(KeysFile.Parse(content, path)));
        }
    }

    /// <summary>True if a file is configured.</summary>
    public bool HasFile => _file is not null;

    /// <summary>The keys; another object after each change.</summary>
    public KeySet Current => _file?.Current ?? KeySet.Empty;

    public void Refresh(ILogger log) => _file?.Refresh(log);
}

/// <summary>The keys at one time.</summary>
internal sealed class KeySet(IReadOnlyList<AccessKey> keys)
{
    private readonly (AccessKey Key, byte[] Digest)[] _digests =
        [.. keys.Where(key => key.Digest is not null).Select(key => (key, key.Digest!))];

    private readonly FrozenDictionary<string, AccessKey> _subjects =
        keys.Where(key => key.Subject is not null).ToFrozenDictionary(key => key.Subject!, StringComparer.Ordinal);

    public static KeySet Empty { get; } = new([]);

    /// <summary>
    /// Returns the entry of a digest, or null. All digests are compared completely: the time tells nothing about how much of
    /// a digest is right, nor where it is.
    /// </summary>
    public AccessKey? Find(ReadOnlySpan<byte> digest)
    {
        AccessKey? found = null;
        foreach (var (key, known) in _digests)
        {
            if (CryptographicOperations.FixedTimeEquals(known, digest))
            {
                found = key;
            }
        }
        return found;
    }

    /// <summary>Returns the entry of a normalized subject, or null.</summary>
    public AccessKey? Find(string subject) => _subjects.GetValueOrDefault(subject);
}
