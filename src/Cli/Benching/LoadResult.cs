using Embeddings.V1;

namespace Embeddings.Cli.Benching;

/// <summary>What a load brought back.</summary>
internal sealed class LoadResult
{
    private readonly List<float> _milliseconds = [];
    private readonly SortedDictionary<int, long> _batches = [];

    /// <summary>Items with a vector.</summary>
    public long Embedded { get; private set; }

    /// <summary>Items that failed.</summary>
    public long Failed { get; private set; }

    /// <summary>The first failure; null where there was none.</summary>
    public ItemError? FirstError { get; private set; }

    /// <summary>From the first request to the last answer.</summary>
    public TimeSpan Elapsed { get; private set; }

    /// <summary>Items with a vector a second.</summary>
    public double Rate => Embedded / Elapsed.TotalSeconds;

    /// <summary>How many items ran in a batch of each size, by size.</summary>
    public IReadOnlyDictionary<int, long> Batches => _batches;

    /// <summary>Milliseconds from handing an item over until its answer, waiting for its turn included; sorted.</summary>
    public float[] Latencies { get; private set; } = [];

    /// <summary>Items in a run, on average over the runs; 0 where nothing ran.</summary>
    public double MeanBatch =>
        Embedded == 0 ? 0 : Embedded / _batches.Where(static batch => batch.Key > 0).Sum(static batch => batch.Value / (double)batch.Key);

    /// <summary>The latency below which this part of the answers came, milliseconds; 0 where none came.</summary>
    public double Latency(double part) => Latencies.Length == 0 ? 0 : Latencies[(int)Math.Min(part * Latencies.Length, Latencies.Length - 1)];

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
