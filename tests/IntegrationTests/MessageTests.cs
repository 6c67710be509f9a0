using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Messages that are too large, and bytes that are no message.</summary>
public sealed class MessageTests : IAsyncLifetime
{
    private const int Limit = 100_000;

    private TestServer? _server;

    private Api Api => _server!.Api;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync($"--Server:MaxMessageBytes={Limit}");

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task An_oversized_message_is_refused_with_the_limit_and_the_server_goes_on()
    {
        var image = Pictures.Encoded(new byte[Limit]);
        var error = await Api.Embedding.EmbedImageAsync(new() { Image = image }).FailsAsync(StatusCode.ResourceExhausted, "MESSAGE_TOO_LARGE");
        Assert.Contains($"{Limit}", error.Status.Detail);
        await ServesAsync();
    }

    [Fact]
    public async Task An_oversized_message_ends_its_stream_after_the_answers_before_it()
    {
        using var call = Api.Embedding.StreamEmbed();
        await call.RequestStream.WriteAsync(Items.EmbedFace("good", Pictures.Crop(1))).Bound();
        // The server may end the stream before it has read the whole message; then the write fails, which is no matter here.
        var write = call.RequestStream.WriteAsync(Items.EmbedImage("large", Pictures.Encoded(new byte[Limit])));
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
    public async Task Bytes_that_are_no_message_are_the_callers_fault(string method)
    {
        // A length that runs past the end; a tag of a wire type that does not exist; a group that never ends.
        foreach (var bytes in (byte[][])[[0x0A, 0xFF, 0xFF, 0xFF, 0x7F], [0x07], [0x0B, 0x08, 0x01]])
        {
            var (status, message) = await RawCall.PostAsync(_server!.Address, $"embeddings.v1.{method}", RawCall.Frame(bytes));
            Assert.Equal((((int)StatusCode.InvalidArgument).ToString(), "the message is not valid Protocol Buffers of the contract"), (status, message));
        }
        await ServesAsync();
    }

    [Fact]
    public async Task A_good_item_before_bad_bytes_is_answered()
    {
        var good = RawCall.Frame(Items.EmbedFace("good", Pictures.Crop(1)).ToByteArray());
        var (status, _) = await RawCall.PostAsync(_server!.Address, "embeddings.v1.EmbeddingService/StreamEmbed", [.. good, .. RawCall.Frame([0x07])]);
        Assert.Equal($"{(int)StatusCode.InvalidArgument}", status);
        await ServesAsync();
    }

    [Fact]
    public async Task A_method_that_is_not_there_is_unimplemented()
    {
        var (status, _) = await RawCall.PostAsync(_server!.Address, "embeddings.v1.EmbeddingService/NoSuch", RawCall.Frame([]));
        Assert.Equal($"{(int)StatusCode.Unimplemented}", status);
    }

    private async Task ServesAsync() =>
        Assert.NotNull((await Api.Embedding.EmbedFaceAsync(new EmbedFaceRequest { Face = Pictures.Crop(1) }).Bound()).Embedding);
}
