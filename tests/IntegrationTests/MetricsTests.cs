using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Embeddings.IntegrationTests.Infrastructure;

namespace Embeddings.IntegrationTests;

/// <summary>Measurements of the metrics that docs/observability.md lists.</summary>
public sealed class MetricsTests
{
    [Fact]
    public async Task Every_metric_has_its_measurements_and_tags()
    {
        const int Count = 40;
        await using var server = await TestServer.StartAsync();
        // Other servers in this process have instruments with the same names, but another factory.
        var factory = server.Get<IMeterFactory>();
        var seen = new ConcurrentQueue<(string Instrument, double Value, string Tags)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "Embeddings.Server" && ReferenceEquals(instrument.Meter.Scope, factory))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => seen.Enqueue((instrument.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => seen.Enqueue((instrument.Name, value, Text(tags))));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => seen.Enqueue((instrument.Name, value, Text(tags))));
        listener.Start();

        await server.Api.Ingest.StreamIngest().ExchangeAsync(Enumerable.Range(0, Count).Select(i =>
            Items.IngestFace("metrics", $"{i}", 0, i == 5 ? TestImages.FloatCrop(float.NaN) : TestImages.Crop(i))));
        await server.Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1) }).Bound();
        listener.RecordObservableInstruments();

        Assert.Equal(Count - 1, Sum("embeddings.batch.size", $"model={Items.FaceModel}"));
        Assert.Equal(1, Sum("embeddings.batch.size", $"model={Items.ImageModel}"));
        Assert.Equal(Count - 1, Sum("embeddings.items", "operation=/embeddings.v1.IngestService/StreamIngest outcome=OK"));
        Assert.Equal(1, Sum("embeddings.items", "operation=/embeddings.v1.IngestService/StreamIngest outcome=PIXELS_NOT_FINITE"));
        Assert.Equal(1, Sum("embeddings.items", "operation=/embeddings.v1.EmbeddingService/EmbedImage outcome=OK"));
        Assert.Equal(Count - 1, seen.Count(entry => entry is { Instrument: "embeddings.stage.duration", Tags: "stage=store" }));
        Assert.Equal(Count, seen.Count(entry => entry is { Instrument: "embeddings.stage.duration", Tags: "stage=queue" }));
        Assert.Equal(Count, seen.Count(entry => entry is { Instrument: "embeddings.stage.duration", Tags: "stage=preprocess" }));
        Assert.Contains(seen, entry => entry.Instrument == "embeddings.stage.duration" && entry.Tags.StartsWith("model=", StringComparison.Ordinal) && entry.Value > 0);
        Assert.Equal(0, Sum("embeddings.queue.depth", $"model={Items.FaceModel}"));
        Assert.Equal(2, seen.Count(entry => entry.Instrument == "embeddings.queue.depth"));

        double Sum(string instrument, string tags) => seen.Where(entry => entry.Instrument == instrument && entry.Tags == tags).Sum(entry => entry.Value);
    }

    private static string Text(ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        string.Join(' ', tags.ToArray().OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"));
}
