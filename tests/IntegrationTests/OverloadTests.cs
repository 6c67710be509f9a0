using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Google.Rpc;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>A full queue: unary calls fail fast with a retry delay, streams wait and lose no item.</summary>
public sealed class OverloadTests : IAsyncLifetime
{
    private TestServer? _server;

    private Api Api => _server!.Api;

    // A batch waits a second for more items, which a queue of two never admits: slow without load.
    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync("--Batching:QueueLimit=2", "--Batching:MaxBatchDelay=00:00:01");

    public async ValueTask DisposeAsync() => await _server!.DisposeAsync();

    [Fact]
    public async Task Unary_calls_fail_fast_while_a_stream_waits_and_loses_no_item()
    {
        const int Count = 9;
        using var call = Api.Ingest.StreamIngest();
        for (var i = 0; i < Count; i++)
        {
            await call.RequestStream.WriteAsync(Items.IngestFace("overload", $"{i}", 0, TestImages.Crop(i))).Bound();
        }
        await call.RequestStream.CompleteAsync().Bound();
        await Bounds.UntilAsync(() => _server!.Pending(Items.FaceModel) == 2);

        var error = await Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).FailsAsync(StatusCode.ResourceExhausted, "QUEUE_FULL");
        Assert.InRange(error.Detail<RetryInfo>()!.RetryDelay.ToTimeSpan(), TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10));
        Assert.Contains("Batching:QueueLimit", error.Status.Detail);
        await Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1) } }).FailsAsync(StatusCode.ResourceExhausted, "QUEUE_FULL");
        // Each model has its own queue.
        await Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1) }).Bound();

        var answers = await call.ResponseStream.DrainAsync();
        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"{i}-0"), answers.Select(answer => answer.Ack.PointId));
        Assert.All(answers, answer => Assert.InRange(answer.Timings.BatchSize, 1, 2));
        Assert.Equal(0, _server!.Pending(Items.FaceModel));
        await Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).Bound();
    }

    [Fact]
    public async Task Streams_share_a_full_queue_and_all_of_them_make_progress()
    {
        var streams = await Task.WhenAll(Enumerable.Range(0, 3).Select(stream =>
            Api.Embedding.StreamEmbed().ExchangeAsync(Enumerable.Range(0, 3).Select(i => Items.EmbedFace($"{stream}/{i}", TestImages.Crop(i))))));
        Assert.All(streams.Index(), entry => Assert.Equal(
            Enumerable.Range(0, 3).Select(i => $"{entry.Index}/{i}"), entry.Item.Where(answer => answer.Embedding is not null).Select(answer => answer.ItemId)));
    }

    [Fact]
    public async Task A_canceled_stream_drops_its_items_and_other_streams_continue()
    {
        using var call = Api.Embedding.StreamEmbed();
        for (var i = 0; i < 20; i++)
        {
            await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", TestImages.Crop(i))).Bound();
        }
        await Bounds.UntilAsync(() => _server!.Pending(Items.FaceModel) == 2);
        var drain = call.ResponseStream.DrainAsync();
        call.Dispose();
        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(() => drain)).StatusCode);
        await Bounds.UntilAsync(() => _server!.Pending(Items.FaceModel) == 0);
        Assert.NotNull((await Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).Bound()).Embedding);
    }

    [Fact]
    public async Task A_deadline_ends_a_unary_call_and_a_stream_and_releases_the_queue()
    {
        var deadline = DateTime.UtcNow.AddMilliseconds(300);
        var unary = await Assert.ThrowsAsync<RpcException>(() => Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }, deadline: deadline).Bound());
        Assert.Equal(StatusCode.DeadlineExceeded, unary.StatusCode);

        using var call = Api.Embedding.StreamEmbed(deadline: DateTime.UtcNow.AddMilliseconds(1500));
        for (var i = 0; i < 20; i++)
        {
            await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", TestImages.Crop(i))).Bound();
        }
        var stream = await Assert.ThrowsAsync<RpcException>(call.ResponseStream.DrainAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, stream.StatusCode);
        await Bounds.UntilAsync(() => _server!.Pending(Items.FaceModel) == 0);
        Assert.NotNull((await Api.Embedding.EmbedFaceAsync(new EmbedFaceRequest { Face = TestImages.Crop(1) }).Bound()).Embedding);
    }
}
