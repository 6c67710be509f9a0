using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.V1;
using Grpc.Core;
using Grpc.Health.V1;
using Qdrant.Client;

namespace Embeddings.IntegrationTests;

/// <summary>The server with <c>Store:Kind=Qdrant</c> and a test double of Qdrant.</summary>
public sealed class QdrantTests(ITestOutputHelper output)
{
    private const int Points = 100_000;
    private const int Streams = 4;
    private const string Collection = "c";

    [Fact]
    public async Task Every_acked_point_is_stored_once_if_connections_drop_and_Qdrant_restarts()
    {
        using var folder = new TempFolder();
        await using var qdrant = await QdrantServer.StartNewAsync(new() { File = Path.Combine(folder.Path, "qdrant.bin") });
        await using var server = await StartAsync(qdrant);
        qdrant.Troubles.Add(new(TroubleKind.Drop) { Method = "Points/Upsert", Every = 50, After = true });
        qdrant.Troubles.Add(new(TroubleKind.Drop) { Method = "Points/Upsert", Every = 50 });

        var began = TimeProvider.System.GetTimestamp();
        Milestone[] milestones = [new(Points * 3 / 10), new(Points * 6 / 10)];
        var streams = Enumerable.Range(0, Streams)
            .Select(stream => Task.Run(() => SendAsync(server.Api, stream, () => Array.ForEach(milestones, at => at.Hit()))))
            .ToList();
        foreach (var milestone in milestones)
        {
            await milestone.Reached;
            await qdrant.StopAsync();
            await qdrant.StartAsync();
        }
        var acked = (await Task.WhenAll(streams)).SelectMany(ids => ids).ToList();
        var took = TimeProvider.System.GetElapsedTime(began);
        output.WriteLine($"{Points} points in {took.TotalSeconds:F1} s, {qdrant.Troubles.Calls("Points/Upsert")} upserts came");

        qdrant.Troubles.Clear();
        Assert.Equal(Points, acked.Count);
        using var client = new QdrantClient(qdrant.Address);
        Assert.Equal((ulong)Points, await client.CountAsync(Collection));
        Assert.Equal(acked.Order(StringComparer.Ordinal), (await ListAsync(server.Api)).Order(StringComparer.Ordinal));
        Assert.True(qdrant.Troubles.Calls("Points/Upsert") > 50, "nothing was dropped");
    }

    [Fact]
    public async Task Items_that_Qdrant_rejects_are_not_acked_and_the_stream_continues()
    {
        await using var qdrant = await QdrantServer.StartNewAsync();
        await using var server = await StartAsync(qdrant, "--Store:Qdrant:WriteRetrySeconds=0");
        await server.Api.Vectors.StreamUpsertVectors().ExchangeAsync([Items.Upsert(Collection, "before", [1, 2])]);
        qdrant.Troubles.Add(new(TroubleKind.Fail) { Method = "Points/Upsert", Every = 2 });
        using var stream = server.Api.Vectors.StreamUpsertVectors();
        var acked = new List<string>();
        for (var i = 0; i < 10; i++)
        {
            await stream.RequestStream.WriteAsync(Items.Upsert(Collection, $"p{i}", [1, i]));
            var answer = Assert.Single(await stream.ResponseStream.TakeAsync(1));
            Assert.Equal($"item-p{i}", answer.ItemId);
            if (answer.Ack is not null)
            {
                acked.Add(answer.Ack.PointId);
            }
            else
            {
                Assert.Equal(((int)StatusCode.Unavailable, "STORE_UNAVAILABLE"), (answer.Error.Code, answer.Error.Reason));
            }
        }
        Assert.Equal(5, acked.Count);
        Assert.Equal(acked.Append("before").Order(StringComparer.Ordinal), (await ListAsync(server.Api)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_large_upsert_that_fails_names_the_points_that_are_not_stored()
    {
        const int Count = 10_000;
        await using var qdrant = await QdrantServer.StartNewAsync();
        await using var server = await StartAsync(qdrant, "--Store:Qdrant:WriteRetrySeconds=0");
        var request = new UpsertVectorsRequest { Collection = Collection, Points = { Enumerable.Range(0, Count).Select(i => Items.Point($"p{i}", [1, i])) } };
        qdrant.Troubles.Add(new(TroubleKind.Fail) { Method = "Points/Upsert", Every = 6 });
        var error = await server.Api.Vectors.UpsertVectorsAsync(request).FailsAsync(StatusCode.Unavailable, "STORE_UNAVAILABLE");
        var indexes = error.Detail<Google.Rpc.ErrorInfo>()!.Metadata["not_stored"];
        qdrant.Troubles.Clear();
        var stored = await ListAsync(server.Api);
        Assert.Equal(Count - stored.Count, Indexes(indexes).Count());
        Assert.Equal(Indexes(indexes), Enumerable.Range(0, Count).Where(i => !stored.Contains($"p{i}")));

        // A client sends these again. Scattered points are named, too, and the trailers stay small.
        var random = new Random(3);
        var bad = Enumerable.Range(0, Count).Where(_ => random.Next(2) == 0).Select(i => $"p{i}").ToHashSet();
        qdrant.Troubles.Refuse(message => message is Qdrant.Client.Grpc.UpsertPoints upsert
            && upsert.Points.Any(point => bad.Contains(point.Payload["point_id"].StringValue)));
        error = await server.Api.Vectors.UpsertVectorsAsync(request).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID");
        Assert.InRange(error.Trailers.Sum(entry => entry.Key.Length + (entry.IsBinary ? entry.ValueBytes.Length * 4 / 3 : entry.Value.Length)), 1, 8000);
        Assert.NotEmpty(error.Detail<Google.Rpc.ErrorInfo>()!.Metadata["not_stored"]);

        static IEnumerable<int> Indexes(string ranges) => ranges.Split(',')
            .Select(range => range.Split('-').Select(int.Parse).ToArray())
            .SelectMany(range => Enumerable.Range(range[0], range[^1] - range[0] + 1));
    }

    [Fact]
    public async Task Without_Qdrant_the_server_starts_embeds_and_reports_the_store_as_unavailable()
    {
        await using var qdrant = new QdrantServer();
        await qdrant.StartAsync();
        await qdrant.StopAsync();
        await using var server = await StartAsync(qdrant, "--Store:Qdrant:ReadRetrySeconds=0");
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await StatusAsync("store"));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.NotServing, await StatusAsync("embeddings.v1.VectorStoreService"));
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, await StatusAsync("embeddings.v1.EmbeddingService"));
        var pixels = Google.Protobuf.ByteString.CopyFrom(new byte[8 * 8 * 3]);
        var image = new Image { Pixels = new() { Width = 8, Height = 8, Format = PixelFormat.Rgb8, Data = pixels } };
        Assert.Equal(Items.Dimension, (await server.Api.Embedding.EmbedImageAsync(new() { Image = image }).Bound()).Embedding.Values.Count);
        await server.Api.Vectors.CountVectorsAsync(new() { Collection = Collection }).FailsAsync(StatusCode.Unavailable, "STORE_UNAVAILABLE");

        await qdrant.StartAsync();
        using var watch = server.Api.Health.Watch(new() { Service = "store" });
        do
        {
            Assert.True(await watch.ResponseStream.MoveNext(default).Bound());
        }
        while (watch.ResponseStream.Current.Status != HealthCheckResponse.Types.ServingStatus.Serving);
        await server.Api.Ingest.IngestImageAsync(new() { Item = new() { JobId = "j", Image = image } }).Bound();
        Assert.Equal(1, (await server.Api.Vectors.CountVectorsAsync(new() { Collection = "image_embeddings" }).Bound()).Count);

        async Task<HealthCheckResponse.Types.ServingStatus> StatusAsync(string service) =>
            (await server.Api.Health.CheckAsync(new() { Service = service }).Bound()).Status;
    }

    private static Task<TestServer> StartAsync(QdrantServer qdrant, params string[] args) =>
        TestServer.StartAsync(["--Store:Kind=Qdrant", $"--Store:Qdrant:Url={qdrant.Address}", "--Store:Qdrant:ProbeSeconds=0.2", .. args]);

    /// <summary>Sends the points of one stream and returns the acked ids.</summary>
    private static async Task<List<string>> SendAsync(Api api, int stream, Action answered)
    {
        using var call = api.Vectors.StreamUpsertVectors();
        var sending = Task.Run(async () =>
        {
            for (var i = stream; i < Points; i += Streams)
            {
                await call.RequestStream.WriteAsync(Items.Upsert(Collection, $"p{i}", [i, i + 1, i + 2, 1]));
            }
            await call.RequestStream.CompleteAsync();
        });
        var acked = new List<string>();
        while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
        {
            var answer = call.ResponseStream.Current;
            Assert.True(answer.Error is null, $"{answer.Error}");
            acked.Add(answer.Ack.PointId);
            answered();
        }
        await sending;
        return acked;
    }

    private static async Task<List<string>> ListAsync(Api api)
    {
        var ids = new List<string>();
        var token = "";
        do
        {
            var page = await api.Vectors.ListVectorsAsync(new() { Collection = Collection, PageSize = 1000, PageToken = token }).Bound();
            ids.AddRange(page.Points.Select(point => point.PointId));
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        return ids;
    }
}
