using Embeddings.V1;

namespace Embeddings.Tooling.Benching;

/// <summary>Figures of a load.</summary>
internal sealed class LoadResult
{
    /// <summary>The reported percentiles of the latency.</summary>
    public static readonly IReadOnlyList<(string Name, double Part)> Percentiles =
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1)];

    private readonly List<float> _milliseconds = [];
    private readonly SortedDictionary<int, long> _batches = [];

    /// <summary>Number of embedded items.</summary>
    public long Embedded { get; private set; }

    /// <summary>Number of failed items.</summary>
    public long Failed { get; private set; }

    /// <summary>The first failure, or null.</summary>
    public ItemError? FirstError { get; private set; }

    /// <summary>Time from the first request to the last response.</summary>
    public TimeSpan Elapsed { get; private set; }

    /// <summary>Embedded items per second.</summary>
    public double Rate => Embedded / Elapsed.TotalSeconds;

    /// <summary>Number of items by the size of their batch.</summary>
    public IReadOnlyDictionary<int, long> Batches => _batches;

    /// <summary>Latencies of the items in milliseconds, including the wait in the stream; sorted.</summary>
    public float[] Latencies { get; private set; } = [];

    /// <summary>Mean batch size over the runs, or 0 if nothing ran.</summary>
    public double MeanBatch =>
        Embedded == 0
            ? 0
            : Embedded / _batches.Where(static batch => batch.Key > 0).Sum(static batch => batch.Value / (double)batch.Key);

    /// <summary>Returns a percentile of the latency in milliseconds, or 0 if there was no response.</summary>
    public double Latency(double part) =>
        Latencies.Length == 0 ? 0 : Latencies[(int)Math.Min(part * Latencies.Length, Latencies.Length - 1)];

    /// <summary>Returns the figures as names and values.</summary>
    public IReadOnlyList<(string Name, string Value)> Lines() =>
    [
        ("throughput", $"{Rate:N1} items/s"),
        ("items", $"{Embedded:N0} embedded, {Failed:N0} failed, in {Elapsed.TotalSeconds:0.0} s"),
        .. FirstError is { } error ? [("first error", $"{error.Reason}: {error.Message}")] : Array.Empty<(string, string)>(),
        .. Percentiles.Select(percentile => ($"latency {percentile.Name}", $"{Latency(percentile.Part):0.00} ms")),
        ("mean batch", $"{MeanBatch:0.0} items"),
    ];

    public void Add(StreamEmbedResponse response, TimeSpan latency)
    {
        _milliseconds.Add((float)latency.TotalMilliseconds);
        if (response.ResultCase != StreamEmbedResponse.ResultOneofCase.Embedding)
        {
            Failed++;
            FirstError ??= response.Error;
            return;
        }
        Embedded++;
        var size = response.Timings?.BatchSize ?? 0;
        _batches[size] = _batches.GetValueOrDefault(size) + 1;
    }

    /// <summary>Returns the sum over streams that ran at the same time.</summary>
    public static LoadResult Sum(IReadOnlyList<LoadResult> parts, TimeSpan elapsed)
    {
        var sum = new LoadResult
        {
            Elapsed = elapsed,
            Embedded = parts.Sum(static part => part.Embedded),
            Failed = parts.Sum(static part => part.Failed),
            FirstError = parts.Select(static part => part.FirstError).FirstOrDefault(static error => error is not null),
            Latencies = [.. parts.SelectMany(static part => part._milliseconds).Order()],
        };
        foreach (var (size, count) in parts.SelectMany(static part => part._batches))
        {
            sum._batches[size] = sum._batches.GetValueOrDefault(size) + count;
        }
        return sum;
    }
}
