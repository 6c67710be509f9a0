using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>StreamEmbed: order, item ids, failed items, and the end of a stream.</summary>
[Collection(SharedServer.Name)]
public sealed class StreamEmbedTests(ServerFixture server)
{
    [Fact]
    public async Task An_empty_stream_ends_with_OK_and_no_responses() =>
        Assert.Empty(await server.Api.Embedding.StreamEmbed().ExchangeAsync([]));

    [Fact]
    public async Task An_invalid_item_fails_alone_and_the_order_is_kept()
    {
        const int Bad = 137;
        var requests = Enumerable.Range(0, 301).Select(i =>
            i == Bad ? Items.EmbedImage($"item {i}", TestImages.Encoded([1, 2, 3])) : Items.EmbedFace($"item {i}", TestImages.Crop(i % 32)));
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        Assert.Equal(Enumerable.Range(0, 301).Select(i => $"item {i}"), answers.Select(answer => answer.ItemId));
        var error = Assert.Single(answers, answer => answer.ResultCase == StreamEmbedResponse.ResultOneofCase.Error);
        Assert.Equal($"item {Bad}", error.ItemId);
        Assert.Equal((int)StatusCode.InvalidArgument, error.Error.Code);
        Assert.Equal("IMAGE_FORMAT_UNKNOWN", error.Error.Reason);
        Assert.Equal("image.encoded", error.Error.Field);
        Assert.All(answers.Where(answer => answer != error), answer => Assert.InRange(answer.Timings.BatchSize, 1, 64));
    }

    [Fact]
    public async Task Images_and_faces_share_a_stream_and_use_the_models_of_their_kinds()
    {
        var requests = Enumerable.Range(0, 40).Select(i => i % 3 == 0 ? Items.EmbedImage($"{i}", TestImages.Photo(i)) : Items.EmbedFace($"{i}", TestImages.Crop(i)));
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        Assert.Equal(40, answers.Count);
        Assert.All(answers.Index(), entry =>
        {
            Assert.Equal($"{entry.Index}", entry.Item.ItemId);
            Assert.Equal(entry.Index % 3 == 0 ? Items.ImageModel : Items.FaceModel, entry.Item.Embedding.Model);
            Assert.Equal(entry.Index % 3 != 0, entry.Item.Embedding.UnitLength);
        });
    }

    [Fact]
    public async Task All_responses_arrive_after_half_close()
    {
        using var call = server.Api.Embedding.StreamEmbed();
        for (var i = 0; i < 100; i++)
        {
            await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", TestImages.Crop(i))).Bound();
        }
        // No response is read before the client half-closes.
        await call.RequestStream.CompleteAsync().Bound();
        var answers = await call.ResponseStream.DrainAsync();
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"{i}"), answers.Select(answer => answer.ItemId));
        Assert.All(answers, answer => Assert.NotNull(answer.Embedding));
    }

    [Fact]
    public async Task A_response_arrives_while_the_stream_is_open()
    {
        using var call = server.Api.Embedding.StreamEmbed();
        for (var i = 0; i < 5; i++)
        {
            await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", TestImages.Crop(i))).Bound();
            Assert.Equal($"{i}", Assert.Single(await call.ResponseStream.TakeAsync(1)).ItemId);
        }
        await call.RequestStream.CompleteAsync().Bound();
        Assert.Empty(await call.ResponseStream.DrainAsync());
    }

    [Fact]
    public async Task Item_ids_are_optional_not_unique_and_limited_in_size()
    {
        StreamEmbedRequest[] requests =
        [
            Items.EmbedFace("same", TestImages.Crop(1)),
            Items.EmbedFace("same", TestImages.Crop(2)),
            Items.EmbedFace("", TestImages.Crop(3)),
            Items.EmbedFace(new string('é', 256), TestImages.Crop(4)),
            Items.EmbedFace(new string('é', 257), TestImages.Crop(5)),
            new() { ItemId = "nothing" },
        ];
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        Assert.Equal(requests.Select(request => request.ItemId), answers.Select(answer => answer.ItemId));
        Assert.All(answers.Take(4), answer => Assert.NotNull(answer.Embedding));
        Assert.Equal(("FIELD_TOO_LONG", "item_id"), (answers[4].Error.Reason, answers[4].Error.Field));
        Assert.Equal(("FIELD_REQUIRED", "item"), (answers[5].Error.Reason, answers[5].Error.Field));
    }

    [Fact]
    public async Task Many_streams_share_batches()
    {
        var streams = await Task.WhenAll(Enumerable.Range(0, 8).Select(stream => server.Api.Embedding.StreamEmbed().ExchangeAsync(
            Enumerable.Range(0, 100).Select(i => Items.EmbedFace($"{stream}/{i}", TestImages.Crop(i % 8))))));
        Assert.All(streams.Index(), entry =>
            Assert.Equal(Enumerable.Range(0, 100).Select(i => $"{entry.Index}/{i}"), entry.Item.Select(answer => answer.ItemId)));
        Assert.Contains(streams.SelectMany(answers => answers), answer => answer.Timings.BatchSize > 1);
    }
}
