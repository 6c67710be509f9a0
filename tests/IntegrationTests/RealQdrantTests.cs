using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>The server with a real Qdrant whose processes are killed.</summary>
public sealed class RealQdrantTests
{
    private const string Collection = "c";
    private const int Streams = 3;

    [ToolFact("QDRANT_BINARY")]
    public async Task Every_acked_point_is_stored_once_after_Qdrant_is_killed_and_restarted_during_ingest()
    {
        const int Faces = 900;
        await using var qdrant = await QdrantNode.StartAsync();
        await using var server = await StartServerAsync(qdrant);
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var quarter = new Milestone(Faces / 4);
        var streams = Enumerable.Range(0, Streams).Select(stream => Task.Run(() => AckedAsync(
            server.Api.Ingest.StreamIngest(),
            stream,
            Faces,
            i => Items.IngestFace(Collection, $"job{i}", 0, TestImages.Crop(i)),
            answer => (answer.Ack?.PointId, answer.Error),
            killed.Task,
            quarter.Hit))).ToList();

        await quarter.Reached;
        await qdrant.KillAsync();
        killed.SetResult();
        await qdrant.RestartAsync();
        var acked = (await Task.WhenAll(streams).Bound()).SelectMany(ids => ids).Order(StringComparer.Ordinal).ToList();

        Assert.Equal(Faces, acked.Count);
        Assert.Equal(acked, await ListAsync(server.Api));
        Assert.Equal(Faces, (await server.Api.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count);
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task A_cluster_with_two_replicas_keeps_every_acked_point_if_a_node_is_killed_during_ingest_and_search()
    {
        const int Points = 6000;
        await using var cluster = await QdrantCluster.StartAsync(3);
        await using var server = await StartServerAsync(
            cluster.Nodes[0], "--Store:Qdrant:NewCollections:Shards=6", "--Store:Qdrant:NewCollections:Replicas=2");
        var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var quarter = new Milestone(Points / 4);
        var streams = Enumerable.Range(0, Streams).Select(stream => Task.Run(() => AckedAsync(
            server.Api.Vectors.StreamUpsertVectors(),
            stream,
            Points,
            i => Items.Upsert(Collection, $"p{i:D5}", Items.Vector(i, 16)),
            answer => (answer.Ack?.PointId, answer.Error),
            killed.Task,
            quarter.Hit))).ToList();

        await quarter.Reached;
        var searching = Task.Run(() => SearchUntilAsync(server.Api, Task.WhenAll(streams)));
        await cluster.Nodes[2].KillAsync();
        killed.SetResult();
        var acked = (await Task.WhenAll(streams).Bound()).SelectMany(ids => ids).Order(StringComparer.Ordinal).ToList();
        Assert.InRange(await searching.Bound(), 1, int.MaxValue);

        Assert.Equal(Points, acked.Count);
        Assert.Equal(acked, await ListAsync(server.Api));
    }

    private static Task<TestServer> StartServerAsync(QdrantNode qdrant, params string[] args) =>
        TestServer.StartAsync(["--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant.Address}", .. args]);

    /// <summary>
    /// Sends the points of one stream, the second half after the kill, and returns the acked ids. No item may fail.
    /// </summary>
    private static async Task<List<string>> AckedAsync<TRequest, TResponse>(
        AsyncDuplexStreamingCall<TRequest, TResponse> call,
        int stream,
        int count,
        Func<int, TRequest> request,
        Func<TResponse, (string? Id, ItemError? Error)> read,
        Task killed,
        Action answered)
    {
        using var ended = call;
        var sending = Task.Run(async () =>
        {
            for (var i = stream; i < count; i += Streams)
            {
                if (i >= count / 2)
                {
                    await killed.Bound();
                }
                await call.RequestStream.WriteAsync(request(i)).Bound();
            }
            await call.RequestStream.CompleteAsync();
        });
        var acked = new List<string>();
        while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
        {
            var (id, error) = read(call.ResponseStream.Current);
            Assert.True(id is not null, $"{error}");
            acked.Add(id!);
            answered();
        }
        await sending;
        return acked;
    }

    /// <summary>Searches until the ingest ends and returns the number of searches. None may fail.</summary>
    private static async Task<int> SearchUntilAsync(Api api, Task ingest)
    {
        var searches = 0;
        do
        {
            var query = new SearchQuery { Vector = new() { Values = { Items.Vector(searches, 16) } } };
            var request = new SearchVectorsRequest { Collection = Collection, Limit = 5, Queries = { query } };
            Assert.Equal(5, (await api.Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points.Count);
            searches++;
        }
        while (!ingest.IsCompleted);
        return searches;
    }

    private static async Task<List<string>> ListAsync(Api api)
    {
        var ids = new List<string>();
        var request = new ListVectorsRequest { Collection = Collection, PageSize = 1000 };
        do
        {
            var page = await api.Vectors.ListVectorsAsync(request).Bound();
            ids.AddRange(page.Points.Select(point => point.PointId));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        return [.. ids.Order(StringComparer.Ordinal)];
    }
}
