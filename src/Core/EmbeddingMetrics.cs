using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Embeddings.Core;

/// <summary>
/// Every instrument of the server, in one file. Units follow the OpenTelemetry semantic conventions
/// (https://opentelemetry.io/docs/specs/semconv/general/metrics/): seconds for durations, curly braces for counts.
/// </summary>
internal sealed class EmbeddingMetrics
{
    public const string MeterName = "Embeddings.Server";

    private readonly ConcurrentDictionary<string, Func<int>> _queues = new();
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _stage;
    private readonly Counter<long> _items;

    public EmbeddingMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _batchSize = meter.CreateHistogram(
            "embeddings.batch.size", "{item}", "Items in each batch that really ran.",
            advice: new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 24, 32, 48, 64, 128, 256] });
        _stage = meter.CreateHistogram(
            "embeddings.stage.duration", "s", "Time an item spends in each stage: queue, preprocess, inference, store.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5] });
        _items = meter.CreateCounter<long>("embeddings.items", "{item}", "Items answered, by operation and outcome (OK, or the error's reason).");
        meter.CreateObservableGauge("embeddings.queue.depth", ReadQueues, "{item}", "Items of each model that are on their way.");
    }

    /// <summary>Lets the depth of a model's queue be read; null takes it back.</summary>
    public void ObserveQueue(string model, Func<int>? depth)
    {
        if (depth is null)
        {
            _queues.TryRemove(model, out _);
        }
        else
        {
            _queues[model] = depth;
        }
    }

    public void BatchRan(string model, int size, TimeSpan duration)
    {
        var tag = new KeyValuePair<string, object?>("model", model);
        _batchSize.Record(size, tag);
        _stage.Record(duration.TotalSeconds, new("stage", "inference"), tag);
    }

    public void StageTook(string stage, TimeSpan duration) => _stage.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("stage", stage));

    public void ItemAnswered(string operation, string outcome) => _items.Add(1, new("operation", operation), new("outcome", outcome));

    private IEnumerable<Measurement<int>> ReadQueues() =>
        _queues.Select(queue => new Measurement<int>(queue.Value(), new KeyValuePair<string, object?>("model", queue.Key)));
}
