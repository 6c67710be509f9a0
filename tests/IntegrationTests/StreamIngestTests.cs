using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>StreamIngest: acks in order, each for a stored point.</summary>
[Collection(SharedServer.Name)]
public sealed class StreamIngestTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    [Fact]
    public async Task An_empty_stream_ends_with_OK_and_no_responses() =>
        Assert.Empty(await server.Api.Ingest.StreamIngest().ExchangeAsync([]));

    [Fact]
    public async Task An_invalid_item_fails_alone_and_the_others_are_stored()
    {
        const int Bad = 200;
        var requests = Enumerable.Range(0, 301).Select(i =>
            Items.IngestFace(_collection, $"job{i}", i, i == Bad ? new() { Image = TestImages.Encoded([0xFF, 0xD8, 0xFF]) } : TestImages.Crop(i % 32)));
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(requests);
        Assert.Equal(Enumerable.Range(0, 301).Select(i => $"job{i}/{i}"), answers.Select(answer => answer.ItemId));
        var error = Assert.Single(answers, answer => answer.ResultCase == StreamIngestResponse.ResultOneofCase.Error);
        Assert.Equal($"job{Bad}/{Bad}", error.ItemId);
        Assert.Equal("IMAGE_MALFORMED", error.Error.Reason);
        Assert.Equal("face.face.image.encoded", error.Error.Field);
        Assert.All(answers.Where(answer => answer != error), answer => Assert.True(answer.Timings.BatchSize > 0 && answer.Timings.StoreUs > 0));
        Assert.Equal(300, await CountAsync(_collection));
        await server.Api.Vectors.GetVectorAsync(new() { Collection = _collection, PointId = $"job{Bad}-{Bad}" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
    }

    [Fact]
    public async Task The_last_of_duplicate_ids_in_one_stream_is_stored()
    {
        // Slow items (encoded) and fast items (raw) with the same id: the order must be that of the stream.
        var requests = Enumerable.Range(0, 60).Select(i =>
        {
            var face = i % 2 == 0 ? new() { Image = TestImages.Encoded(TestImages.Jpeg(i, 800, 800)) } : TestImages.Crop(i);
            var request = Items.IngestFace(_collection, "same", 7, face, media: $"m{i}");
            request.ReturnEmbedding = true;
            return request;
        });
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(requests);
        Assert.All(answers, answer => Assert.Equal("same-7", answer.Ack.PointId));
        Assert.Equal(1, await CountAsync(_collection));
        var point = (await server.Api.Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "same-7" }).Bound()).Point;
        Assert.Equal("m59", point.Payload.MediaStoreId);
        Assert.Equal(answers[^1].Ack.Embedding.Values, point.Vector);
    }

    [Fact]
    public async Task Images_and_faces_share_a_stream_and_are_stored_in_the_collections_of_their_kinds()
    {
        var faces = ServerFixture.NewCollection();
        var requests = Enumerable.Range(0, 40).Select(i =>
            i % 2 == 0 ? Items.IngestImage(_collection, $"i{i}", TestImages.Photo(i)) : Items.IngestFace(faces, $"f{i}", 0, TestImages.Crop(i)));
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(requests);
        Assert.All(answers.Index(), entry => Assert.Equal(entry.Index % 2 == 0 ? _collection : faces, entry.Item.Ack.Collection));
        Assert.Equal((20, 20), (await CountAsync(_collection), await CountAsync(faces)));
    }

    [Fact]
    public async Task The_ack_contains_the_vector_only_if_requested()
    {
        var requests = Enumerable.Range(0, 10).Select(i =>
        {
            var request = Items.IngestFace(_collection, $"{i}", 0, TestImages.Crop(i));
            request.ReturnEmbedding = i % 2 == 0;
            return request;
        });
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(requests);
        Assert.All(answers.Index(), entry => Assert.Equal(entry.Index % 2 == 0 ? Items.Dimension : 0, entry.Item.Ack.Embedding?.Values.Count ?? 0));
    }

    [Fact]
    public async Task An_acked_point_is_stored()
    {
        using var call = server.Api.Ingest.StreamIngest();
        for (var i = 0; i < 20; i++)
        {
            await call.RequestStream.WriteAsync(Items.IngestFace(_collection, $"{i}", 0, TestImages.Crop(i))).Bound();
            var ack = Assert.Single(await call.ResponseStream.TakeAsync(1)).Ack;
            Assert.Equal(i + 1, await CountAsync(_collection));
            await server.Api.Vectors.GetVectorAsync(new() { Collection = _collection, PointId = ack.PointId }).Bound();
        }
        await call.RequestStream.CompleteAsync().Bound();
        Assert.Empty(await call.ResponseStream.DrainAsync());
    }

    private async Task<long> CountAsync(string collection) => (await server.Api.Vectors.CountVectorsAsync(new() { Collection = collection }).Bound()).Count;
}
