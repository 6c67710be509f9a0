namespace Embeddings.Server.Security;

/// <summary>The rights of a caller. Each includes those before it.</summary>
internal enum Access
{
    /// <summary>No rights: only health checks.</summary>
    None,

    /// <summary>Embeds, searches, reads, counts, and lists.</summary>
    Read,

    /// <summary>Stores and deletes points, too.</summary>
    Write,

    /// <summary>Deletes collections, too, and everything that concerns more than single points.</summary>
    Manage,
}

/// <summary>The limits of one caller; null for no limit.</summary>
/// <param name="ConcurrentStreams">Maximum number of calls at the same time.</param>
/// <param name="ItemsPerSecond">Maximum number of items per second.</param>
/// <param name="BytesPerSecond">Maximum size of the requests per second, bytes.</param>
/// <param name="Points">Maximum number of points that the collections of the caller hold together.</param>
internal sealed record CallerLimits(
    int? ConcurrentStreams = null, double? ItemsPerSecond = null, double? BytesPerSecond = null, long? Points = null)
{
    public static CallerLimits None { get; } = new();
}

/// <summary>The client that makes a call: the holder of an API key, of a token, or of a client certificate.</summary>
/// <param name="Name">Its name, unique among all callers; it appears in the audit log.</param>
/// <param name="Access">Its rights in the collections that match <paramref name="Collections"/>.</param>
/// <param name="Collections">Globs (<c>*</c> and <c>?</c>) of the collections that it may see; <c>*</c> for all.</param>
/// <param name="Limits">Its limits.</param>
internal sealed record Caller(string Name, Access Access, IReadOnlyList<string> Collections, CallerLimits Limits)
{
    /// <summary>Every caller of a server without authentication.</summary>
    public static Caller Anonymous { get; } = new("anonymous", Access.Manage, ["*"], CallerLimits.None);

    /// <summary>The caller of a call that has not been authenticated, on a server with authentication.</summary>
    public static Caller Unauthenticated { get; } = new("nobody", Access.None, [], CallerLimits.None);

    /// <summary>True if the caller may see every collection.</summary>
    public bool CoversAll => Collections is ["*"];

    /// <summary>True if the caller may see a collection; its rights there are <see cref="Access"/>.</summary>
    public bool Covers(string collection)
    {
        foreach (var glob in Collections)
        {
            if (CollectionGlob.Matches(glob, collection))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Returns the caller of a request: authentication sets it as a feature of the request.</summary>
    public static Caller Of(HttpContext context) => context.Features.Get<Caller>() ?? Anonymous;
}
