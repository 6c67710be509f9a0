using Grpc.Core;

namespace Embeddings.QdrantDouble.Troubles;

/// <summary>Something to go wrong.</summary>
public sealed record Trouble(TroubleKind Kind)
{
    /// <summary>Which calls, by the end of their names (<c>Points/Upsert</c>); empty for all.</summary>
    public string Method { get; init; } = "";

    /// <summary>Of these, every so manieth.</summary>
    public int Every { get; init; } = 1;

    /// <summary>How often in all.</summary>
    public int Times { get; init; } = int.MaxValue;

    /// <summary>Whether the call is carried out first: the caller cannot know.</summary>
    public bool After { get; init; }

    /// <summary>For <see cref="TroubleKind.Fail"/>.</summary>
    public StatusCode Status { get; init; } = StatusCode.Unavailable;

    /// <summary>For <see cref="TroubleKind.Fail"/>.</summary>
    public string Message { get; init; } = "the double was told to fail";

    /// <summary>For <see cref="TroubleKind.Fail"/>: seconds of the metadata retry-after; null for none.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>For <see cref="TroubleKind.Late"/>.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>As Qdrant says that there were too many calls.</summary>
    public static Trouble RateLimit(int? retryAfter) => new(TroubleKind.Fail)
    {
        Status = StatusCode.ResourceExhausted,
        Message = retryAfter is { } seconds
            ? $"Rate limiting exceeded: Write rate limit exceeded: retry after {seconds}s"
            : "Rate limiting exceeded: Write rate limit exceeded: request larger than rate limiter capacity",
        RetryAfter = retryAfter,
    };
}
