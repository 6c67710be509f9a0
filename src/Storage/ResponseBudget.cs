using Embeddings.Primitives;

namespace Embeddings.Storage;

/// <summary>
/// Limits the bytes of responses while they are made: those of one response, and those of all responses in flight, so
/// that no combination of requests takes more memory than planned.
/// </summary>
/// <param name="maxResponseBytes">The maximum size of one response.</param>
/// <param name="maxTotalBytes">The maximum size of all responses in flight, at least that of one response.</param>
internal sealed class ResponseBudget(int maxResponseBytes, long maxTotalBytes)
{
    // A message takes up to five times its size: objects, strings in UTF-16, and the buffer of the connection.
    private const int ShareOfMemory = 16;

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    private long _held;

    /// <summary>The bytes of all responses in flight.</summary>
    public long Held => Volatile.Read(ref _held);

    /// <summary>Creates a budget of a sixteenth of the memory that the process may use, bytes.</summary>
    public static ResponseBudget Create(int maxResponseBytes, long memoryBytes) => new(
        maxResponseBytes, Math.Max(maxResponseBytes, memoryBytes / ShareOfMemory));

    /// <summary>Starts a response; dispose the lease when it has been sent.</summary>
    public ResponseLease Lease() => new(this);

    /// <summary>RESOURCE_EXHAUSTED if a response of this size exceeds the limit.</summary>
    internal void RequireResponse(long bytes, long points)
    {
        if (bytes > maxResponseBytes)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.ResponseTooLarge,
                $"The response must be at most {maxResponseBytes} bytes (Server:MaxResponseBytes); its first {points} points "
                + $"have {bytes} bytes. Send fewer queries or a smaller limit, or request no payloads or vectors. Clients "
                + "must accept messages of this size, too; most accept 4194304 bytes by default.")
                .With(FaultKeys.Limit, maxResponseBytes)
                .With(FaultKeys.Actual, bytes)
                .With(FaultKeys.Setting, "Server:MaxResponseBytes");
        }
    }

    /// <summary>RESOURCE_EXHAUSTED, to be retried, if the responses in flight exceed their limit.</summary>
    internal void Take(long bytes)
    {
        var held = Interlocked.Add(ref _held, bytes);
        if (held > maxTotalBytes)
        {
            Return(bytes);
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.QueueFull,
                $"The responses in flight must have at most {maxTotalBytes} bytes; with this one they have {held}. "
                + "Retry later, or request less per call.",
                retryAfter: RetryLater)
                .With(FaultKeys.Limit, maxTotalBytes)
                .With(FaultKeys.Actual, held);
        }
    }

    internal void Return(long bytes) => Interlocked.Add(ref _held, -bytes);
}

/// <summary>The part of the budget that one response holds. Not thread-safe.</summary>
internal sealed class ResponseLease(ResponseBudget budget) : IDisposable
{
    private long _bytes;
    private long _points;

    /// <summary>
    /// Checks a lower bound of the response's size before it is made. RESOURCE_EXHAUSTED
    /// (<see cref="Reasons.ResponseTooLarge"/>) if the response cannot be made.
    /// </summary>
    public void Require(long points, long bytesPerPoint) => budget.RequireResponse(points * bytesPerPoint, points);

    /// <summary>
    /// Adds a point before it becomes part of the response. RESOURCE_EXHAUSTED if the response exceeds its limit
    /// (<see cref="Reasons.ResponseTooLarge"/>), or all responses in flight exceed theirs
    /// (<see cref="Reasons.QueueFull"/>).
    /// </summary>
    public void Add(StoredPoint point)
    {
        var bytes = PointSize.Of(point);
        budget.RequireResponse(_bytes + bytes, ++_points);
        Hold(bytes);
    }

    /// <summary>Adds bytes of a response that has its own limit, such as a page.</summary>
    public void Hold(long bytes)
    {
        budget.Take(bytes);
        _bytes += bytes;
    }

    public void Dispose()
    {
        budget.Return(_bytes);
        _bytes = 0;
    }
}
