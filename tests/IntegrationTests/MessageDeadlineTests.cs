using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>A message that has begun must arrive completely within Server:MessageReadSeconds.</summary>
public sealed class MessageDeadlineTests : IAsyncLifetime
{
    private const string Stream = "embeddings.v1.EmbeddingService/StreamEmbed";
    private const string Unary = "embeddings.v1.EmbeddingService/EmbedFace";

    private static readonly byte[] Item = Items.EmbedFace("item", TestImages.Crop(1)).ToByteArray();

    private TestServer? _server;

    private string Address => _server!.Address;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync("--Server:MessageReadSeconds=1");

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task Half_a_message_ends_its_stream_and_a_stream_without_a_message_stays_open()
    {
        using var idle = _server!.Api.Embedding.StreamEmbed();
        await idle.RequestStream.WriteAsync(Items.EmbedFace("first", TestImages.Crop(1))).Bound();
        await idle.ResponseStream.TakeAsync(1);

        using var call = new HeldCall(Address, Stream, [.. RawCall.Frame(Item), .. HeldCall.Half(Item)]);
        AssertTimeout(await call.EndAsync());

        // Idle for longer than the half message.
        await idle.RequestStream.WriteAsync(Items.EmbedFace("second", TestImages.Crop(1))).Bound();
        Assert.Equal("second", Assert.Single(await idle.ResponseStream.TakeAsync(1)).ItemId);
    }

    [Fact]
    public async Task A_message_that_arrived_in_parts_does_not_count_once_it_is_complete()
    {
        var frame = RawCall.Frame(Item);
        using var call = new HeldCall(Address, Stream, [.. frame, .. frame[..100]]);
        await call.AnsweredAsync();
        call.Send(frame[100..]);
        // Twice the limit, idle and with a message in parts.
        await Task.Delay(TimeSpan.FromSeconds(2));
        call.Send(frame[..100]);
        call.Send(frame[100..]);
        call.End();
        Assert.Equal((StatusCode.OK, "", ""), await call.EndAsync());
    }

    [Fact]
    public async Task Half_a_message_ends_its_unary_call()
    {
        using var call = new HeldCall(Address, Unary, HeldCall.Half(Item));
        AssertTimeout(await call.EndAsync());
    }

    [Fact]
    public async Task A_unary_call_whose_request_does_not_end_fails()
    {
        var request = new EmbedFaceRequest { Face = TestImages.Crop(1) }.ToByteArray();
        using var call = new HeldCall(Address, Unary, RawCall.Frame(request));
        AssertTimeout(await call.EndAsync());
    }

    private static void AssertTimeout((StatusCode Code, string Reason, string Message) end) => Assert.Equal(
        (StatusCode.DeadlineExceeded, "MESSAGE_TIMEOUT", "The message must arrive completely within 1 seconds (Server:MessageReadSeconds); send less per message."),
        end);
}
