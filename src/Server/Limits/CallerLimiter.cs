using System.Globalization;
using System.Threading.RateLimiting;
using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Embeddings.Server.Security;
using Google.Protobuf;

namespace Embeddings.Server.Limits;

/// <summary>
/// Holds each caller to its <see cref="CallerLimits"/>. A unary call over a limit fails with RESOURCE_EXHAUSTED; a stream is
/// read as fast as the limits permit, which slows its sender down by flow control. The state of a caller that is idle is freed.
/// If the limits of a caller change, its next call has the new ones.
/// </summary>
internal sealed class CallerLimiter : IDisposable
{
    // The limiters replenish the tokens every 100 ms.
    private const double ReplenishmentsPerSecond = 10;

    private readonly PointCounts _points;
    private readonly EmbeddingMetrics _metrics;
    private readonly Shutdown _shutdown;
    private readonly int _largestMessage;

    // Created with the first caller that has such a limit: their timers run ten times per second. A partition is a name and a
    // limit, so that a limit that has changed begins a new one.
    private readonly Lazy<PartitionedRateLimiter<Caller>> _calls;
    private readonly Lazy<PartitionedRateLimiter<Caller>> _items;
    private readonly Lazy<PartitionedRateLimiter<Caller>> _bytes;

    public CallerLimiter(PointCounts points, EmbeddingMetrics metrics, Shutdown shutdown, ServerOptions options)
    {
        _points = points;
        _metrics = metrics;
        _shutdown = shutdown;
        _largestMessage = options.MaxMessageBytes;
        _calls = new(static () => PartitionedRateLimiter.Create<Caller, (string, int)>(static caller =>
            RateLimitPartition.GetConcurrencyLimiter(
                (caller.Name, caller.Limits.ConcurrentStreams ?? int.MaxValue),
                static key => new() { PermitLimit = key.Item2, QueueLimit = 0 })));
        _items = new(() => Buckets(static limits => limits.ItemsPerSecond, 1));
        _bytes = new(() => Buckets(static limits => limits.BytesPerSecond, _largestMessage));
    }

    /// <summary>Returns true if a caller has any limit.</summary>
    public static bool IsLimited(Caller caller) => caller.Limits != CallerLimits.None;

    /// <summary>Begins a call; dispose what it returns when the call has ended.</summary>
    /// <exception cref="Fault">RESOURCE_EXHAUSTED: the caller has too many calls at a time.</exception>
    public IDisposable? Enter(Caller caller)
    {
        if (caller.Limits.ConcurrentStreams is not { } limit)
        {
            return null;
        }
        var lease = _calls.Value.AttemptAcquire(caller);
        if (lease.IsAcquired)
        {
            return lease;
        }
        lease.Dispose();
        throw Limited(
            nameof(CallerLimits.ConcurrentStreams),
            limit,
            $"Caller '{caller.Name}' may have {limit} calls at a time; end one, or try again.",
            TimeSpan.FromSeconds(1));
    }

    /// <summary>
    /// Takes the items and bytes of a unary request. Dispose what it returns when the request has been answered.
    /// </summary>
    /// <exception cref="Fault">RESOURCE_EXHAUSTED: the caller sends too much, or stores too many points.</exception>
    public async ValueTask<IDisposable?> TakeAsync(Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        if (caller.Limits.ItemsPerSecond is { } items)
        {
            Take(_items.Value, caller, RequestSize.Items(request), Burst(items, 1), nameof(CallerLimits.ItemsPerSecond), items, "items");
        }
        if (caller.Limits.BytesPerSecond is { } bytes)
        {
            Take(
                _bytes.Value,
                caller,
                request.CalculateSize(),
                Burst(bytes, _largestMessage),
                nameof(CallerLimits.BytesPerSecond),
                bytes,
                "bytes");
        }
        return await TakePointsAsync(caller, request, cancellationToken);
    }

    /// <summary>
    /// Waits until the caller may send an item of a stream. Dispose what it returns when the item has been answered.
    /// </summary>
    /// <exception cref="Fault">RESOURCE_EXHAUSTED: the caller stores too many points.</exception>
    public async ValueTask<IDisposable?> WaitAsync(Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        if (caller.Limits.ItemsPerSecond is not null)
        {
            await WaitAsync(_items.Value, caller, 1, nameof(CallerLimits.ItemsPerSecond), cancellationToken);
        }
        if (caller.Limits.BytesPerSecond is { } bytes)
        {
            var size = Math.Min(request.CalculateSize(), Burst(bytes, _largestMessage));
            await WaitAsync(_bytes.Value, caller, size, nameof(CallerLimits.BytesPerSecond), cancellationToken);
        }
        return await TakePointsAsync(caller, request, cancellationToken);
    }

    public void Dispose()
    {
        foreach (var limiter in (ReadOnlySpan<Lazy<PartitionedRateLimiter<Caller>>>)[_calls, _items, _bytes])
        {
            if (limiter.IsValueCreated)
            {
                limiter.Value.Dispose();
            }
        }
    }

    // The number that a second permits, at least one item, or one message of the largest size.
    private static int Burst(double rate, int atLeast) => (int)Math.Clamp(rate, Math.Max(atLeast, 1), int.MaxValue);

    private static PartitionedRateLimiter<Caller> Buckets(Func<CallerLimits, double?> rate, int atLeast) =>
        PartitionedRateLimiter.Create<Caller, (string, double)>(caller => RateLimitPartition.GetTokenBucketLimiter(
            (caller.Name, rate(caller.Limits) ?? 1),
            key =>
            {
                var tokens = Math.Max(1, (int)Math.Min(key.Item2 / ReplenishmentsPerSecond, int.MaxValue));
                return new()
                {
                    TokenLimit = Burst(key.Item2, atLeast),
                    TokensPerPeriod = tokens,
                    ReplenishmentPeriod = TimeSpan.FromSeconds(tokens / key.Item2),
                    // Each stream has one waiting item at most.
                    QueueLimit = int.MaxValue,
                    QueueProcessingOrder = QueueProcessingOrder.OldestFirst,
                };
            }));

    private void Take(
        PartitionedRateLimiter<Caller> limiter, Caller caller, int count, int burst, string limit, double rate, string unit)
    {
        if (count > burst)
        {
            throw Limited(
                limit,
                rate,
                $"The call has {count} {unit}; caller '{caller.Name}' may send {Text(rate)} per second. Send less per call, or use a stream.",
                null);
        }
        using var lease = limiter.AttemptAcquire(caller, count);
        if (lease.IsAcquired)
        {
            return;
        }
        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(count / rate);
        throw Limited(
            limit,
            rate,
            $"Caller '{caller.Name}' may send {Text(rate)} {unit} per second; try again later, or use a stream, which is slowed down instead.",
            TimeSpan.FromSeconds(Math.Max(wait.TotalSeconds, 1 / ReplenishmentsPerSecond)));
    }

    private async ValueTask WaitAsync(
        PartitionedRateLimiter<Caller> limiter, Caller caller, int count, string limit, CancellationToken cancellationToken)
    {
        using var now = limiter.AttemptAcquire(caller, count);
        if (now.IsAcquired)
        {
            return;
        }
        _metrics.LimitWaited(limit);
        // A wait must not hold up the shutdown; the item is answered with SHUTTING_DOWN.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _shutdown.Ending);
        using var lease = await limiter.AcquireAsync(caller, count, ending.Token);
        if (!lease.IsAcquired)
        {
            throw Limited(limit, count, $"Caller '{caller.Name}' has too many items that wait; send fewer streams.", TimeSpan.FromSeconds(1));
        }
    }

    private async ValueTask<IDisposable?> TakePointsAsync(Caller caller, IMessage request, CancellationToken cancellationToken)
    {
        if (caller.Limits.Points is not { } limit || RequestSize.Points(request) is not (> 0 and var points))
        {
            return null;
        }
        if (await _points.TryAddAsync(caller, points, limit, cancellationToken) is { } added)
        {
            return added;
        }
        _metrics.LimitRejected(nameof(CallerLimits.Points));
        throw new Fault(
            FaultKind.ResourceExhausted,
            Reasons.PointLimitReached,
            $"The collections of caller '{caller.Name}' may hold {limit} points; delete points, or ask the operator to raise the limit.")
            .With(FaultKeys.Limit, limit);
    }

    private Fault Limited(string limit, double value, string message, TimeSpan? retryAfter)
    {
        _metrics.LimitRejected(limit);
        return new Fault(FaultKind.ResourceExhausted, Reasons.RateLimited, message, retryAfter: retryAfter)
            .With(FaultKeys.Limit, Text(value))
            .With(FaultKeys.Setting, limit);
    }

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>The number of items and bytes of a request, as its caller's limits count them.</summary>
internal static class RequestSize
{
    /// <summary>Items: the points that it stores, or the queries that it makes; 1 for all other requests.</summary>
    public static int Items(IMessage request) => Math.Max(1, request switch
    {
        V1.UpsertVectorsRequest upsert => upsert.Points.Count,
        V1.SearchVectorsRequest search => search.Queries.Count,
        _ => 1,
    });

    /// <summary>Points that it stores. The faces of a photo are not known, so it counts as one.</summary>
    public static int Points(IMessage request) => request switch
    {
        V1.UpsertVectorsRequest upsert => upsert.Points.Count,
        V1.StreamUpsertVectorsRequest or V1.StreamIngestRequest => 1,
        V1.IngestImageRequest or V1.IngestFaceRequest or V1.IngestPhotoRequest => 1,
        _ => 0,
    };
}
