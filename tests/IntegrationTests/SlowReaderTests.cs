using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>A client that sends requests without reading responses: backpressure stops it, and other clients are not affected.</summary>
public sealed class SlowReaderTests
{
    [Fact]
    public async Task A_client_that_does_not_read_responses_is_stopped_and_others_continue()
    {
        const int Limit = 20;
        await using var server = await TestServer.StartAsync($"--Server:MaxPendingPerStream={Limit}");
        using var call = server.Api.Embedding.StreamEmbed();
        var sent = 0;
        var done = false;
        using var stop = new CancellationTokenSource();
        // A vector has 2 KiB: the flow-control windows of both sides hold some hundreds of responses, and some requests of 37 KiB.
        var sending = Task.Run(async () =>
        {
            var crop = TestImages.Crop(1);
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", crop), stop.Token);
                Interlocked.Increment(ref sent);
            }
            done = true;
        });

        // Flow control stops the sender.
        var (before, same) = (-1, 0);
        await Bounds.UntilAsync(() =>
        {
            Thread.Sleep(100);
            var now = Volatile.Read(ref sent);
            same = now == before && now >= Limit && server.Pending(Items.FaceModel) == 0 ? same + 1 : 0;
            before = now;
            return same == 20;
        });
        Assert.False(done);
        Assert.Equal(0, server.Pending(Items.FaceModel));
        var stalled = Volatile.Read(ref sent);
        Assert.InRange(stalled, Limit, 1000);

        using var other = new Api(server.Address);
        var answers = await other.Embedding.StreamEmbed().ExchangeAsync(Enumerable.Range(0, 100).Select(i => Items.EmbedFace($"{i}", TestImages.Crop(i))));
        Assert.Equal(100, answers.Count(answer => answer.ResultCase == StreamEmbedResponse.ResultOneofCase.Embedding));
        Assert.Equal(stalled, Volatile.Read(ref sent));

        // When the client reads, no response is missing.
        var late = await call.ResponseStream.TakeAsync(stalled);
        Assert.Equal(Enumerable.Range(0, stalled).Select(i => $"{i}"), late.Select(answer => answer.ItemId));
        Assert.All(late, answer => Assert.NotNull(answer.Embedding));
        await stop.CancelAsync();
        call.Dispose();
        // The exception that the sender gets does not matter.
        await Record.ExceptionAsync(() => sending.Bound());
        await Bounds.UntilAsync(() => server.Pending(Items.FaceModel) == 0);
    }
}
