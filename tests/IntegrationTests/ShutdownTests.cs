using Embeddings.IntegrationTests.Infrastructure;
using Grpc.Core;
using Grpc.Health.V1;

namespace Embeddings.IntegrationTests;

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
            AssertTold(end);
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
    public async Task An_idle_embedding_stream_does_not_hold_up_the_end()
    {
        await using var server = await StartPatientAsync();
        using var call = server.Api.Embedding.StreamEmbed();
        await call.RequestStream.WriteAsync(Items.EmbedFace("a", Pictures.Crop(1))).Bound();
        await EndsAsync(server, call.ResponseStream);
    }

    [Fact]
    public async Task An_idle_ingest_stream_does_not_hold_up_the_end()
    {
        await using var server = await StartPatientAsync();
        using var call = server.Api.Ingest.StreamIngest();
        await call.RequestStream.WriteAsync(Items.IngestFace("idle", "a", 0, Pictures.Crop(1))).Bound();
        await EndsAsync(server, call.ResponseStream);
    }

    [Fact]
    public async Task An_idle_upsert_stream_does_not_hold_up_the_end()
    {
        await using var server = await StartPatientAsync();
        using var call = server.Api.Vectors.StreamUpsertVectors();
        await call.RequestStream.WriteAsync(Items.Upsert("idle", "a", [1, 2])).Bound();
        await EndsAsync(server, call.ResponseStream);
    }

    [Fact]
    public async Task A_health_watch_does_not_hold_up_the_end()
    {
        await using var server = await StartPatientAsync();
        using var call = server.Api.Health.Watch(new());
        await call.ResponseStream.TakeAsync(1);
        await server.StopAsync();
        Assert.All(await call.ResponseStream.DrainAsync(), response => Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, response.Status));
    }

    // A stop that waited for its streams would wait longer than the test does.
    private static Task<TestServer> StartPatientAsync() => TestServer.StartAsync("--shutdownTimeoutSeconds=3600");

    private static async Task EndsAsync<T>(TestServer server, IAsyncStreamReader<T> responses)
    {
        await responses.TakeAsync(1);
        var draining = Assert.ThrowsAsync<RpcException>(responses.DrainAsync);
        await server.StopAsync();
        AssertTold(await draining);
    }

    // The status is sent before the connection closes, but the client's transport may let the close overtake it; Grpc.Net.Client calls that INTERNAL.
    private static void AssertTold(RpcException end)
    {
        var overtaken = end.StatusCode == StatusCode.Internal && end.Status.DebugException is HttpProtocolException { ErrorCode: 0 };
        Assert.True(end.StatusCode == StatusCode.Unavailable || overtaken, $"{end}");
    }
}
