using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Messages that exceed the size limit, and data that is not a message.</summary>
public sealed class MessageTests : IAsyncLifetime
{
    private const int Limit = 100_000;

    private TestServer? _server;

    private Api Api => _server!.Api;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync($"--Server:MaxMessageBytes={Limit}");

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task An_oversized_message_is_rejected_with_the_limit_and_the_server_continues()
    {
        var image = TestImages.Encoded(new byte[Limit]);
        var error = await Api.Embedding.EmbedImageAsync(new() { Image = image }).FailsAsync(StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE");
        Assert.Contains($"{Limit}", error.Status.Detail);
        await ServesAsync();
    }

    [Fact]
    public async Task An_oversized_message_ends_its_stream_after_the_responses_to_earlier_requests()
    {
        using var call = Api.Embedding.StreamEmbed();
        await call.RequestStream.WriteAsync(Items.EmbedFace("good", TestImages.Crop(1))).Bound();
        // The server may end the stream before it has read the whole message; then the write fails, which is no matter here.
        var write = call.RequestStream.WriteAsync(Items.EmbedImage("large", TestImages.Encoded(new byte[Limit])));
        Assert.Equal("good", Assert.Single(await call.ResponseStream.TakeAsync(1)).ItemId);
        var error = await Errors.FailsAsync(call.ResponseStream.DrainAsync, StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE");
        Assert.Contains($"{Limit}", error.Status.Detail);
        await Task.WhenAny(write).Bound();
        await ServesAsync();
    }

    [Theory]
    [InlineData("EmbeddingService/EmbedImage")]
    [InlineData("EmbeddingService/StreamEmbed")]
    [InlineData("IngestService/StreamIngest")]
    [InlineData("VectorStoreService/SearchVectors")]
    [InlineData("VectorStoreService/StreamUpsertVectors")]
    public async Task Data_that_is_not_a_message_is_INVALID_ARGUMENT(string method)
    {
        // A length beyond the end, a tag with an unknown wire type, and a group without an end.
        foreach (var bytes in (byte[][])[[0x0A, 0xFF, 0xFF, 0xFF, 0x7F], [0x07], [0x0B, 0x08, 0x01]])
        {
            var (status, message) = await RawCall.PostAsync(_server!.Address, $"embeddings.v1.{method}", RawCall.Frame(bytes));
            Assert.Equal((((int)StatusCode.InvalidArgument).ToString(), "The data is not a valid Protocol Buffers message for this method."), (status, message));
        }
        await ServesAsync();
    }

    [Fact]
    public async Task A_valid_item_before_invalid_data_gets_its_response()
    {
        var good = RawCall.Frame(Items.EmbedFace("good", TestImages.Crop(1)).ToByteArray());
        var (status, _) = await RawCall.PostAsync(_server!.Address, "embeddings.v1.EmbeddingService/StreamEmbed", [.. good, .. RawCall.Frame([0x07])]);
        Assert.Equal($"{(int)StatusCode.InvalidArgument}", status);
        await ServesAsync();
    }

    [Fact]
    public async Task An_unknown_method_is_UNIMPLEMENTED()
    {
        var (status, _) = await RawCall.PostAsync(_server!.Address, "embeddings.v1.EmbeddingService/NoSuch", RawCall.Frame([]));
        Assert.Equal($"{(int)StatusCode.Unimplemented}", status);
    }

    private async Task ServesAsync() =>
        Assert.NotNull((await Api.Embedding.EmbedFaceAsync(new EmbedFaceRequest { Face = TestImages.Crop(1) }).Bound()).Embedding);
}
