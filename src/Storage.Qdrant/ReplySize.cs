namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Decides how many points one call requests, so that a reply has a few megabytes whatever the payloads are: their sizes
/// are unknown until they have been received, so those of the last replies are the estimate. Thread-safe.
/// </summary>
internal sealed class ReplySize
{
    private const int TargetBytes = 8 << 20;
    private const int MaxPoints = 512;
    private const int MaxVectors = 4096;

    // Ids and the fields of fixed size.
    private const int MinPayload = 1024;

    // Attributes have up to 64 KiB.
    private double _payload = 65 << 10;

    /// <summary>The number of points of one reply, at least 1.</summary>
    /// <param name="dimension">The dimension of the vectors; 0 if they are not requested.</param>
    public int Points(int dimension) =>
        (int)Math.Clamp(TargetBytes / (Volatile.Read(ref _payload) + ((double)dimension * sizeof(float))), 1, MaxPoints);

    /// <summary>The number of points of one reply without payloads, at least 1.</summary>
    public static int Vectors(int dimension) =>
        (int)Math.Clamp(TargetBytes / (MinPayload + ((long)dimension * sizeof(float))), 1, MaxVectors);

    /// <summary>Records the payloads of a reply; the estimate follows large ones at once and small ones gradually.</summary>
    public void Observe(IReadOnlyCollection<StoredPoint> points)
    {
        if (points.Count > 0)
        {
            var average = points.Average(static point => PointSize.Of(point) - ((double)point.Vector.Length * sizeof(float)));
            Volatile.Write(ref _payload, Math.Max(Math.Max(average, MinPayload), Volatile.Read(ref _payload) / 2));
        }
    }
}
