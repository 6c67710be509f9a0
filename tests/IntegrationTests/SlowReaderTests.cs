using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>A client that sends and never reads: it is read only so far, and holds up nobody else.</summary>
public sealed class SlowReaderTests
{
    [Fact]
    public async Task A_client_that_stops_reading_is_read_no_further_and_others_go_on()
    {
        const int Limit = 20;
        await using var server = await TestServer.StartAsync($"--Server:MaxPendingPerStream={Limit}");
        using var call = server.Api.Embedding.StreamEmbed();
        var sent = 0;
        var done = false;
        using var stop = new CancellationTokenSource();
        // Vectors are 2 KiB: both sides' windows hold some hundreds of answers, and some more requests of 37 KiB.
        var sending = Task.Run(async () =>
        {
            var crop = Pictures.Crop(1);
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await call.RequestStream.WriteAsync(Items.EmbedFace($"{i}", crop), stop.Token);
                Interlocked.Increment(ref sent);
            }
            done = true;
        });

        // The sender comes to a stop although nobody stops it: flow control has reached it.
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
        var answers = await other.Embedding.StreamEmbed().ExchangeAsync(Enumerable.Range(0, 100).Select(i => Items.EmbedFace($"{i}", Pictures.Crop(i))));
        Assert.Equal(100, answers.Count(answer => answer.ResultCase == StreamEmbedResponse.ResultOneofCase.Embedding));
        Assert.Equal(stalled, Volatile.Read(ref sent));

        // It reads again, and nothing was lost.
        var late = await call.ResponseStream.TakeAsync(stalled);
        Assert.Equal(Enumerable.Range(0, stalled).Select(i => $"{i}"), late.Select(answer => answer.ItemId));
        Assert.All(late, answer => Assert.NotNull(answer.Embedding));
        await stop.CancelAsync();
        call.Dispose();
        // However the sender learns of it.
        await Record.ExceptionAsync(() => sending.Bound());
        await Bounds.UntilAsync(() => server.Pending(Items.FaceModel) == 0);
    }
}
