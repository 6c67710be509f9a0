using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using Struct = Google.Protobuf.WellKnownTypes.Struct;
using Value = Google.Protobuf.WellKnownTypes.Value;

namespace Embeddings.IntegrationTests;

/// <summary>
/// The content of calls is in no log at level Information, in no metric, and, apart from ids and names that the caller sent, in no
/// error.
/// </summary>
public sealed class SecretTests
{
    // Each kind of content has a marker of its own.
    private const string Attribute = "marker-attribute";
    private const string ImageBytes = "marker-image";
    private const string Key = "marker-key";
    private const string Job = "marker-job";
    private const string Media = "marker-media";
    private const string PointId = "marker-point";
    private const string Person = "marker-person";
    private const string Item = "marker-item";

    public static TheoryData<string> Stores => StartedStore.All;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Contents_of_calls_are_in_no_log_metric_or_error(string store)
    {
        var log = new LogLines();
        await using var stores = await StartedStore.StartAsync(store, log.Replace, "--Logging:LogLevel:Default=Information");
        var server = stores.Server;
        var tags = new ConcurrentBag<string>();
        using var metrics = Listen(server, tags);
        var errors = new List<RpcException>();
        var itemErrors = new List<ItemError>();

        await CallAllAsync(server.Api, errors, itemErrors);
        metrics.RecordObservableInstruments();

        // With debug messages, the log would have had more than these.
        var shown = log.All.Where(line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Information)
            .Select(line => $"{line.Text} {line.Exception}").ToList();
        Assert.NotEmpty(shown);
        Assert.NotEmpty(tags);
        Assert.True(errors.Count >= 8, $"{errors.Count}");
        Assert.NotEmpty(itemErrors);
        Assert.All(shown, text => Assert.DoesNotContain("marker", text, StringComparison.OrdinalIgnoreCase));
        Assert.All(tags, text => Assert.DoesNotContain("marker", text, StringComparison.OrdinalIgnoreCase));
        var texts = errors.Select(error => $"{error.Status} {string.Join(' ', error.Trailers.Select(Text))}")
            .Concat(itemErrors.Select(error => $"{error}"));
        Assert.All(texts, text =>
        {
            Assert.DoesNotContain(Attribute, text, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(ImageBytes, text, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(Key, text, StringComparison.OrdinalIgnoreCase);
        });
    }

    private static async Task CallAllAsync(Api api, List<RpcException> errors, List<ItemError> itemErrors)
    {
        var key = new Metadata { { "authorization", $"Bearer {Key}" }, { "x-api-key", Key } };
        var broken = new Image { Encoded = ByteString.CopyFromUtf8(ImageBytes) };
        var truncated = new Image { Encoded = ByteString.CopyFrom([.. TestImages.Jpeg(64)[..200], .. Encoding.UTF8.GetBytes(ImageBytes)]) };
        var payload = new Payload { JobId = Job, MediaStoreId = Media, Attributes = Attributes() };

        await TryAsync(() => api.Vectors.UpsertVectorsAsync(
            new() { Collection = "c", Points = { Items.Point(PointId, [1, 2], payload) } }, key));
        await TryAsync(() => api.Vectors.UpsertVectorsAsync(
            new() { Collection = "c", Points = { Items.Point(PointId, [1, 2, 3], payload) } }, key));
        await TryAsync(() => api.Vectors.UpsertVectorsAsync(
            new() { Collection = "c", Points = { Items.Point(PointId, [float.NaN, 1], payload) } }, key));
        await TryAsync(() => api.Vectors.GetVectorAsync(new() { Collection = "c", PointId = $"{PointId}-missing" }, key));
        await TryAsync(() => api.Vectors.SearchVectorsAsync(
            new() { Collection = "c", Queries = { new SearchQuery { PointId = $"{PointId}-missing" } } }, key));
        await TryAsync(() => api.Vectors.ListVectorsAsync(new() { Collection = "c", PageToken = "marker-token" }, key));
        await TryAsync(() => api.Vectors.DeleteByJobIdAsync(new() { JobId = Job }, key));
        await TryAsync(() => api.Vectors.DeleteVectorsAsync(new() { Collection = "c", PointIds = { PointId } }, key));
        foreach (var image in (Image[])[broken, truncated])
        {
            await TryAsync(() => api.Embedding.EmbedImageAsync(new() { Image = image }, key));
            await TryAsync(() => api.Ingest.IngestImageAsync(
                new() { Item = new() { JobId = Job, MediaStoreId = Media, Image = image, Attributes = Attributes() } }, key));
            await TryAsync(() => api.Faces.DetectFacesAsync(new() { Photo = image }, key));
        }
        await TryAsync(() => api.Ingest.IngestImageAsync(
            new() { Item = new() { JobId = Job, MediaStoreId = Media, Image = Pixels(), Attributes = Attributes() } }, key));
        await TryAsync(() => api.Persons.NamePersonAsync(
            new() { Collection = "c", PointIds = { $"{PointId}-missing" }, Person = Person }, key));
        await TryAsync(() => api.Persons.MergePersonsAsync(new() { Collection = "c", Persons = { Person }, Into = $"{Person}-2" }, key));

        using var stream = api.Ingest.StreamIngest(key);
        var answers = await stream.ExchangeAsync([
            new() { ItemId = Item, Image = new() { JobId = Job, MediaStoreId = Media, Image = broken, Attributes = Attributes() } },
            new() { ItemId = Item, Image = new() { JobId = Job, MediaStoreId = Media, Image = Pixels(), Attributes = Attributes() } },
            new() { ItemId = Item, Image = new() { JobId = "", Image = Pixels(), Attributes = Attributes() } },
        ]);
        itemErrors.AddRange(answers.Where(answer => answer.Error is not null).Select(answer => answer.Error));

        async Task TryAsync<T>(Func<AsyncUnaryCall<T>> call)
        {
            try
            {
                await call().Bound();
            }
            catch (RpcException e)
            {
                errors.Add(e);
            }
        }
    }

    private static Struct Attributes() => new()
    {
        Fields = { [Attribute] = Value.ForString(Attribute), ["list"] = Value.ForList(Value.ForString(Attribute)) },
    };

    private static Image Pixels() => TestImages.Crop(1).Image;

    private static string Text(Metadata.Entry entry) => entry.IsBinary ? Encoding.UTF8.GetString(entry.ValueBytes) : entry.Value;

    // The names of all instruments and the tags of all measurements.
    private static MeterListener Listen(TestServer server, ConcurrentBag<string> tags)
    {
        var factory = server.Get<IMeterFactory>();
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (ReferenceEquals(instrument.Meter.Scope, factory) || instrument.Meter.Name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, values, _) => Add(instrument, values));
        listener.SetMeasurementEventCallback<int>((instrument, _, values, _) => Add(instrument, values));
        listener.SetMeasurementEventCallback<double>((instrument, _, values, _) => Add(instrument, values));
        listener.Start();
        return listener;

        void Add(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> values)
        {
            foreach (var (name, value) in values)
            {
                tags.Add($"{instrument.Name} {name} {value}");
            }
        }
    }
}
