extern alias OldContract;

using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Old = OldContract::Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>A client that was built with the contract before messages of streams had several items, and vectors were bytes.</summary>
public sealed class OldClientTests
{
    private const string Collection = "old";
    private const int Count = 60;
    private const int Bad = 23;

    public static TheoryData<string> Stores => StartedStore.All;

    [Fact]
    public async Task A_stream_of_embeddings_has_one_response_per_item_in_order()
    {
        await using var server = await TestServer.StartAsync();
        using var old = new OldApi(server.Address);
        var requests = Enumerable.Range(0, Count).Select(i => new Old.StreamEmbedRequest
        {
            ItemId = $"{i}",
            Face = Convert(i == Bad ? new() { Image = TestImages.Encoded([1, 2, 3]) } : TestImages.Crop(i), Old.FaceCrop.Parser),
        });
        var answers = await old.Embedding.StreamEmbed().ExchangeAsync(requests);

        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"{i}"), answers.Select(answer => answer.ItemId));
        Assert.All(answers, answer => Assert.Empty(Convert(answer, StreamEmbedResponse.Parser).Items));
        var error = Assert.Single(answers, answer => answer.ResultCase == Old.StreamEmbedResponse.ResultOneofCase.Error);
        Assert.Equal(($"{Bad}", "IMAGE_FORMAT_UNKNOWN", "face.image.encoded"), (error.ItemId, error.Error.Reason, error.Error.Field));
        // The vectors are numbers, and those that a current client gets.
        var current = await server.Api.Embedding.StreamEmbed().ExchangeAsync(Enumerable.Range(0, Count).Select(i => Items.EmbedFace($"{i}", TestImages.Crop(i))));
        Assert.All(answers.Where(answer => answer != error), answer => Assert.Equal(current[int.Parse(answer.ItemId)].Embedding.Values, answer.Embedding.Values));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Streams_store_items_and_vectors_one_per_message(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        using var old = new OldApi(started.Server.Address);
        var items = Enumerable.Range(0, Count).Select(i =>
        {
            var item = Convert(Items.IngestFace(Collection, i == Bad ? "" : "job", i, TestImages.Crop(i)), Old.StreamIngestRequest.Parser);
            item.ReturnEmbedding = true;
            return item;
        });
        var ingested = await old.Ingest.StreamIngest().ExchangeAsync(items);
        Assert.All(ingested, answer => Assert.Empty(Convert(answer, StreamIngestResponse.Parser).Items));
        Assert.Equal(Points("job-{0}"), ingested.Select(answer => answer.Ack?.PointId ?? $"{answer.Error.Reason} {answer.Error.Field}").Select(NoBad("FIELD_REQUIRED face.job_id")));
        Assert.All(ingested.Where(answer => answer.Ack is not null), answer => Assert.Equal(Items.Dimension, answer.Ack.Embedding.Values.Count));

        var vectors = Enumerable.Range(0, Count).Select(i =>
            Convert(Items.Upsert("vectors", $"p-{i}", Items.Vector(i, i == Bad ? 3 : 16)), Old.StreamUpsertVectorsRequest.Parser));
        var upserted = await old.Vectors.StreamUpsertVectors().ExchangeAsync(vectors);
        Assert.All(upserted, answer => Assert.Empty(Convert(answer, StreamUpsertVectorsResponse.Parser).Items));
        Assert.Equal(Points("p-{0}"), upserted.Select(answer => answer.Ack?.PointId ?? $"{answer.Error.Reason} {answer.Error.Field}").Select(NoBad("DIMENSION_MISMATCH point.vector")));

        // What is stored reads as numbers.
        var page = await old.Vectors.ListVectorsAsync(new() { Collection = "vectors", PageSize = 1000, WithVectors = true }).Bound();
        Assert.Equal(Count - 1, page.Points.Count);
        foreach (var point in page.Points)
        {
            Assert.Equal(16, point.Vector.Count);
            var current = await started.Server.Api.Vectors.GetVectorAsync(new() { Collection = "vectors", PointId = point.PointId }).Bound();
            Assert.Equal(current.Point.Vector, point.Vector);
        }
        var query = new Old.SearchQuery { Vector = new() { Values = { Items.Vector(5, 16) } } };
        var found = await old.Vectors.SearchVectorsAsync(new() { Collection = "vectors", Queries = { query }, Limit = 1 }).Bound();
        Assert.Equal("p-5", Assert.Single(found.Results[0].Points).Point.PointId);
    }

    [Fact]
    public async Task Unary_calls_work()
    {
        await using var server = await TestServer.StartAsync();
        using var old = new OldApi(server.Address);
        Assert.NotEmpty((await old.Models.ListModelsAsync(new()).Bound()).Models);

        var face = Convert(TestImages.Crop(1), Old.FaceCrop.Parser);
        var embedded = await old.Embedding.EmbedFaceAsync(new() { Face = face }).Bound();
        Assert.Equal(Items.Dimension, embedded.Embedding.Values.Count);
        var stored = await old.Ingest.IngestFaceAsync(new() { Collection = Collection, Item = new() { JobId = "job", Face = face } }).Bound();
        Assert.Equal("job-0", stored.Ack.PointId);
        var point = (await old.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = "job-0" }).Bound()).Point;
        Assert.Equal(embedded.Embedding.Values, point.Vector);
        point.PointId = "copy";
        Assert.Equal(1, (await old.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { point } }).Bound()).UpsertedCount);
        Assert.Equal(2, (await old.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count);
        Assert.Equal(2, (await old.Vectors.DeleteByJobIdAsync(new() { Collection = Collection, JobId = "job" }).Bound()).DeletedCount);

        var image = Convert(TestImages.Encoded([1, 2, 3]), Old.Image.Parser);
        await old.Embedding.EmbedImageAsync(new() { Image = image }).FailsAsync(StatusCode.InvalidArgument, "IMAGE_FORMAT_UNKNOWN", "image.encoded");
    }

    /// <summary>The ids of the points, and nothing for the bad one.</summary>
    private static IEnumerable<string> Points(string format) =>
        Enumerable.Range(0, Count).Select(i => i == Bad ? "" : string.Format(System.Globalization.CultureInfo.InvariantCulture, format, i));

    /// <summary>Replaces the expected error by nothing.</summary>
    private static Func<string, string> NoBad(string error) => outcome => outcome == error ? "" : outcome;

    /// <summary>Converts a message to that of the other contract, as it goes over the wire.</summary>
    private static T Convert<T>(IMessage message, MessageParser<T> parser)
        where T : IMessage<T> => parser.ParseFrom(message.ToByteString());

    /// <summary>The stubs of the old contract, on one connection.</summary>
    private sealed class OldApi(string address) : IDisposable
    {
        private readonly GrpcChannel _channel = GrpcChannel.ForAddress(address);

        public Old.EmbeddingService.EmbeddingServiceClient Embedding => new(_channel);

        public Old.IngestService.IngestServiceClient Ingest => new(_channel);

        public Old.VectorStoreService.VectorStoreServiceClient Vectors => new(_channel);

        public Old.ModelService.ModelServiceClient Models => new(_channel);

        public void Dispose() => _channel.Dispose();
    }
}
