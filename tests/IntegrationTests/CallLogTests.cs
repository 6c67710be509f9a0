using Embeddings.IntegrationTests.Infrastructure;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace Embeddings.IntegrationTests;

/// <summary>Faults of callers are one line at Debug and a count; they are no alarm and have no stack trace.</summary>
public sealed class CallLogTests : IAsyncLifetime
{
    private const int Count = 20;

    private readonly LogLines _log = new();
    private TestServer? _server;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartWithAsync(_log.Replace, "--Logging:LogLevel:Default=Debug");

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();

    [Theory]
    [InlineData("EmbeddingService/EmbedImage", "embeddings.items", new byte[] { 0, 0, 0, 0, 1, 0x07 })]
    [InlineData("EmbeddingService/StreamEmbed", "embeddings.streams", new byte[] { 0, 0, 0, 0, 1, 0x07 })]
    [InlineData("EmbeddingService/EmbedImage", "embeddings.items", new byte[] { 0, 0, 0, 0, 9, 0x07 })]
    [InlineData("EmbeddingService/StreamEmbed", "embeddings.streams", new byte[] { 0, 0, 0, 0, 9, 0x07 })]
    [InlineData("EmbeddingService/EmbedImage", "embeddings.items", new byte[] { 7, 0, 0, 0, 1, 0x07 })]
    [InlineData("EmbeddingService/StreamEmbed", "embeddings.streams", new byte[] { 7, 0, 0, 0, 1, 0x07 })]
    public async Task Malformed_messages_are_one_line_at_Debug_each_and_are_counted(string method, string instrument, byte[] body)
    {
        using var counter = new Counter(_server!, instrument, $"/embeddings.v1.{method}", "MESSAGE_MALFORMED");
        for (var i = 0; i < Count; i++)
        {
            var (status, _) = await RawCall.PostAsync(_server!.Address, $"embeddings.v1.{method}", body);
            Assert.Equal($"{(int)StatusCode.InvalidArgument}", status);
        }
        await counter.ReachesAsync(Count);
        Assert.Equal(Count, counter.Sum);
        Assert.Equal(Count, _log.All.Count(line => line is { Event: "FaultAnswered", Level: LogLevel.Debug, Exception: null }));
        Assert.Empty(_log.Alarms);
        Assert.DoesNotContain(_log.All, line => line.Exception is not null);
    }

    [Fact]
    public async Task A_message_with_an_impossible_length_is_too_large()
    {
        var body = new byte[] { 0, 0xFF, 0xFF, 0xFF, 0xFF, 1 };
        foreach (var method in (string[])["EmbedImage", "StreamEmbed"])
        {
            var (status, _) = await RawCall.PostAsync(_server!.Address, $"embeddings.v1.EmbeddingService/{method}", body);
            Assert.Equal($"{(int)StatusCode.ResourceExhausted}", status);
        }
        Assert.Empty(_log.Alarms);
    }

    [Fact]
    public async Task A_stream_canceled_by_its_client_is_counted_and_not_called_a_bug()
    {
        using var counter = new Counter(_server!, "embeddings.streams", "/embeddings.v1.IngestService/StreamIngest", "CANCELLED");
        for (var i = 0; i < Count; i++)
        {
            // Canceled while the server reads, works, and writes.
            using var call = _server!.Api.Ingest.StreamIngest();
            for (var item = 0; item <= i; item++)
            {
                await call.RequestStream.WriteAsync(Items.IngestFace("canceled", $"{item}", 0, TestImages.Crop(item))).Bound();
            }
            await call.ResponseStream.TakeAsync(1);
        }
        await counter.ReachesAsync(Count);
        Assert.Empty(_log.Alarms);
    }

    [Fact]
    public async Task A_client_that_disappears_is_counted_and_not_called_a_bug()
    {
        const string Method = "embeddings.v1.EmbeddingService/StreamEmbed";
        using var counter = new Counter(_server!, "embeddings.streams", $"/{Method}", "CANCELLED");
        for (var i = 0; i < Count; i++)
        {
            using var api = new Api(_server!.Address);
            var call = api.Embedding.StreamEmbed();
            await call.RequestStream.WriteAsync(Items.EmbedFace("a", TestImages.Crop(1))).Bound();
            await call.ResponseStream.TakeAsync(1);
            // Disposing the channel closes the connection.
        }
        await counter.ReachesAsync(Count);
        Assert.Empty(_log.Alarms);
    }
}
