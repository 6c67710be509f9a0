using Embeddings.Primitives;

namespace Embeddings.Server.Security;

/// <summary>
/// Proof by which a caller was accepted. Calls that last longer check it again for each item: a key may have been revoked.
/// Not thread-safe.
/// </summary>
internal abstract class CallerSession
{
    /// <summary>Returns the caller with the rights that it has now.</summary>
    /// <exception cref="Fault">The key, token, or certificate is not accepted any more.</exception>
    public abstract Caller Renew();
}

/// <summary>An API key, or the subject of a client certificate, which is accepted until a time, too.</summary>
internal sealed class KeySession(KeyRing ring, KeySet keys, AccessKey key, TimeProvider time, DateTimeOffset? until = null) : CallerSession
{
    private KeySet _keys = keys;
    private AccessKey _key = key;

    public override Caller Renew()
    {
        var current = ring.Current;
        if (!ReferenceEquals(current, _keys))
        {
            _key = (_key.Digest is { } digest ? current.Find(digest) : current.Find(_key.Subject!))
                ?? throw AccessFaults.Revoked(_key);
            _keys = current;
        }
        if (until <= time.GetUtcNow())
        {
            throw AccessFaults.CertificateInvalid();
        }
        return _key.Expires is { } expires && expires <= time.GetUtcNow() ? throw AccessFaults.Expired(_key) : _key.Caller;
    }
}

/// <summary>A token, or a certificate without an entry, which is accepted until it expires.</summary>
internal sealed class TimedSession(Caller caller, DateTimeOffset until, TimeProvider time, Func<Fault> expired) : CallerSession
{
    public override Caller Renew() => until > time.GetUtcNow() ? caller : throw expired();
}
