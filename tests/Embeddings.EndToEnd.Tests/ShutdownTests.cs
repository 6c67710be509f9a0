using Embeddings.EndToEnd.Tests.Infrastructure;
using Grpc.Core;

namespace Embeddings.EndToEnd.Tests;

/// <summary>A stop in the middle of work: what was answered counts, open streams are told, nothing hangs.</summary>
public sealed class ShutdownTests
{
    [Fact]
    public async Task An_open_stream_is_answered_as_far_as_it_was_read_and_ends_with_unavailable()
    {
        using var folder = new TempFolder();
        var acked = new List<string>();
        await using (var server = await TestServer.StartOnAsync(folder.Path))
        {
            using var call = server.Api.Ingest.StreamIngest();
            for (var i = 0; i < 100; i++)
            {
                await call.RequestStream.WriteAsync(Items.IngestFace("stopped", $"{i}", 0, Pictures.Crop(i))).Bound();
            }
            acked.AddRange((await call.ResponseStream.TakeAsync(10)).Select(answer => answer.Ack.PointId));
            var stopping = server.StopAsync();
            var end = await Assert.ThrowsAsync<RpcException>(async () =>
            {
                while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
                {
                    acked.Add(call.ResponseStream.Current.Ack.PointId);
                }
            });
            Assert.Equal(StatusCode.Unavailable, end.StatusCode);
            await stopping;
        }
        Assert.Equal(Enumerable.Range(0, acked.Count).Select(i => $"{i}-0"), acked);
        await using var again = await TestServer.StartOnAsync(folder.Path);
        foreach (var id in acked)
        {
            await again.Api.Vectors.GetVectorAsync(new() { Collection = "stopped", PointId = id }).Bound();
        }
    }

    [Fact]
    public async Task Idle_streams_do_not_hold_up_the_end()
    {
        await using var server = await TestServer.StartAsync();
        using var embed = server.Api.Embedding.StreamEmbed();
        using var watch = server.Api.Health.Watch(new());
        await embed.RequestStream.WriteAsync(Items.EmbedFace("a", Pictures.Crop(1))).Bound();
        await embed.ResponseStream.TakeAsync(1);
        await watch.ResponseStream.TakeAsync(1);
        await server.StopAsync();
        var end = await Assert.ThrowsAsync<RpcException>(embed.ResponseStream.DrainAsync);
        Assert.Equal(StatusCode.Unavailable, end.StatusCode);
    }
}
