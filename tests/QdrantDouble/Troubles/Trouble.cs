using Grpc.Core;

namespace Embeddings.QdrantDouble.Troubles;

/// <summary>An injected failure.</summary>
public sealed record Trouble(TroubleKind Kind)
{
    /// <summary>The affected calls, by the end of their names (<c>Points/Upsert</c>); empty for all.</summary>
    public string Method { get; init; } = "";

    /// <summary>Affects every n-th of these calls.</summary>
    public int Every { get; init; } = 1;

    /// <summary>Maximum number of affected calls.</summary>
    public int Times { get; init; } = int.MaxValue;

    /// <summary>Executes the call before it fails; the caller cannot detect that.</summary>
    public bool After { get; init; }

    /// <summary>For <see cref="TroubleKind.Fail"/>.</summary>
    public StatusCode Status { get; init; } = StatusCode.Unavailable;

    /// <summary>For <see cref="TroubleKind.Fail"/>.</summary>
    public string Message { get; init; } = "Injected failure";

    /// <summary>For <see cref="TroubleKind.Fail"/>: the retry-after metadata in seconds; null for none.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>For <see cref="TroubleKind.Late"/>.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Creates a failure like Qdrant's rate limit.</summary>
    public static Trouble RateLimit(int? retryAfter) => new(TroubleKind.Fail)
    {
        Status = StatusCode.ResourceExhausted,
        Message = retryAfter is { } seconds
            ? $"Rate limiting exceeded: Write rate limit exceeded: retry after {seconds}s"
            : "Rate limiting exceeded: Write rate limit exceeded: request larger than rate limiter capacity",
        RetryAfter = retryAfter,
    };
}
