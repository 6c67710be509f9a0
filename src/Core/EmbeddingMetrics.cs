using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Embeddings.Core;

/// <summary>
/// All instruments of the service. Units follow the OpenTelemetry semantic conventions
/// (https://opentelemetry.io/docs/specs/semconv/general/metrics/): seconds for durations, curly braces for counts.
/// </summary>
internal sealed class EmbeddingMetrics
{
    public const string MeterName = "Embeddings.Server";

    public const string BatchSize = "embeddings.batch.size";
    public const string StageDuration = "embeddings.stage.duration";
    public const string Items = "embeddings.items";
    public const string Streams = "embeddings.streams";
    public const string QueueDepth = "embeddings.queue.depth";
    public const string LimitRejections = "embeddings.limit.rejections";
    public const string LimitWaits = "embeddings.limit.waits";
    public const string ExpiredPoints = "embeddings.points.expired";

    public const string ModelTag = "model";
    public const string StageTag = "stage";
    public const string OperationTag = "operation";
    public const string OutcomeTag = "outcome";
    public const string LimitTag = "limit";

    /// <summary>Stages of an item, the values of <see cref="StageTag"/>.</summary>
    public const string QueueStage = "queue";
    public const string PreprocessStage = "preprocess";
    public const string InferenceStage = "inference";
    public const string StoreStage = "store";

    private static readonly InstrumentAdvice<int> Sizes = new()
    {
        HistogramBucketBoundaries = [1, 2, 4, 8, 16, 24, 32, 48, 64, 128, 256],
    };

    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries = [.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5],
    };

    private readonly ConcurrentDictionary<string, Func<int>> _queues = new();
    private readonly Histogram<int> _batchSize;
    private readonly Histogram<double> _stage;
    private readonly Counter<long> _items;
    private readonly Counter<long> _streams;
    private readonly Counter<long> _limitRejections;
    private readonly Counter<long> _limitWaits;
    private readonly Counter<long> _expired;

    public EmbeddingMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        _batchSize = meter.CreateHistogram(BatchSize, "{item}", "Items in each batch that ran.", advice: Sizes);
        _stage = meter.CreateHistogram(
            StageDuration, "s", "Time an item spends in each stage: queue, preprocess, inference, store.", advice: Seconds);
        _items = meter.CreateCounter<long>(
            Items, "{item}", "Items answered, by operation and outcome (OK, or the error's reason).");
        _streams = meter.CreateCounter<long>(
            Streams, "{stream}", "Streams ended, by operation and outcome (OK, or the error's reason).");
        _limitRejections = meter.CreateCounter<long>(
            LimitRejections, "{call}", "Calls and items of streams that a limit of their caller refused, by limit.");
        _limitWaits = meter.CreateCounter<long>(
            LimitWaits, "{item}", "Items of streams that waited because of a limit of their caller, by limit.");
        _expired = meter.CreateCounter<long>(ExpiredPoints, "{point}", "Points deleted because they had expired.");
        meter.CreateObservableGauge(QueueDepth, ReadQueues, "{item}", "Items of each model in flight.");
    }

    /// <summary>Adds a model to the gauge of items in flight.</summary>
    public void ObserveQueue(string model, Func<int> depth) => _queues[model] = depth;

    /// <summary>Removes a model from the gauge of items in flight.</summary>
    public void ForgetQueue(string model) => _queues.TryRemove(model, out _);

    public void BatchRan(string model, int size, TimeSpan duration)
    {
        var tag = new KeyValuePair<string, object?>(ModelTag, model);
        _batchSize.Record(size, tag);
        _stage.Record(duration.TotalSeconds, new(StageTag, InferenceStage), tag);
    }

    public void StageTook(string stage, TimeSpan duration) =>
        _stage.Record(duration.TotalSeconds, new KeyValuePair<string, object?>(StageTag, stage));

    public void ItemAnswered(string operation, string outcome) =>
        _items.Add(1, new(OperationTag, operation), new(OutcomeTag, outcome));

    public void PointsExpired(long count) => _expired.Add(count);

    public void StreamEnded(string operation, string outcome) =>
        _streams.Add(1, new(OperationTag, operation), new(OutcomeTag, outcome));

    public void LimitRejected(string limit) => _limitRejections.Add(1, new KeyValuePair<string, object?>(LimitTag, limit));

    public void LimitWaited(string limit) => _limitWaits.Add(1, new KeyValuePair<string, object?>(LimitTag, limit));

    private IEnumerable<Measurement<int>> ReadQueues() =>
        _queues.Select(queue => new Measurement<int>(queue.Value(), new KeyValuePair<string, object?>(ModelTag, queue.Key)));
}
