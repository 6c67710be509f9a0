using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Acked points are stored, regardless of how the server ends.</summary>
public sealed class DurabilityTests
{
    private const string Collection = "durable";

    [Fact]
    public async Task Every_acked_point_is_stored_once_after_a_kill_during_ingest()
    {
        using var folder = new TempFolder();
        var acked = new HashSet<string>();
        var enough = new Milestone(300);
        var (process, api) = await ServerProcess.StartAsync(folder.Path);
        using (process)
        using (api)
        {
            var streams = Enumerable.Range(0, 4).Select(stream => Task.Run(() => IngestAsync(api, stream, acked, enough))).ToArray();
            await enough.Reached;
            await process.KillAsync();
            await Task.WhenAll(streams).Bound();
        }
        Assert.InRange(acked.Count, 300, int.MaxValue);

        (process, api) = await ServerProcess.StartAsync(folder.Path);
        using (process)
        using (api)
        {
            var stored = await ListAsync(api);
            Assert.Equal(stored.Count, stored.Distinct().Count());
            Assert.Empty(acked.Except(stored));
            // A point may be stored without a received ack, but not the reverse.
            Assert.Equal(stored.Count, (await api.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count);
            foreach (var id in acked.Take(50))
            {
                Assert.Equal(Items.Dimension, (await api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = id }).Bound()).Point.Vector.Count);
            }
            var seed = Seed(acked.First());
            var request = new SearchVectorsRequest { Collection = Collection, Queries = { new SearchQuery { Face = TestImages.Crop(seed) } }, Limit = 1 };
            Assert.Equal(seed, Seed((await api.Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points[0].Point.PointId));
            // When the sender sends everything again, no point is stored twice.
            await api.Ingest.StreamIngest().ExchangeAsync(stored.Take(100).Select(id => Items.IngestFace(Collection, id.Split('-')[0], 0, TestImages.Crop(Seed(id)))));
            Assert.Equal(stored.Count, (await api.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count);
        }
    }

    [Fact]
    public async Task An_index_file_never_brings_back_what_was_replaced_or_deleted_before_a_kill()
    {
        const int Count = 600;
        using var folder = new TempFolder();
        // The vectors that searches must find; the first life ends with a stop, which writes the file.
        var seeds = new Dictionary<string, int>();
        var gone = new Dictionary<string, int>();
        for (var life = 0; life < 4; life++)
        {
            var (process, api) = await ServerProcess.StartAsync(folder.Path, "--Store:Embedded:IndexFilePoints=100");
            using (process)
            using (api)
            {
                await CheckAsync(api);
                var changed = Enumerable.Range(0, Count).Where(i => life == 0 || i % 5 == life).ToDictionary(i => $"p{i}", i => (life * Count) + i);
                await api.Vectors.UpsertVectorsAsync(
                    new() { Collection = Collection, Points = { changed.Select(entry => Items.Point(entry.Key, Items.Vector(entry.Value))) } }).Bound();
                foreach (var (id, seed) in changed)
                {
                    seeds[id] = seed;
                    gone.Remove(id);
                }
                string[] deleted = [.. Enumerable.Range(0, Count).Where(i => life > 0 && i % 7 == life).Select(i => $"p{i}")];
                if (life > 0)
                {
                    await api.Vectors.DeleteVectorsAsync(new() { Collection = Collection, PointIds = { deleted } }).Bound();
                }
                foreach (var id in deleted.Where(seeds.ContainsKey))
                {
                    gone[id] = seeds[id];
                    seeds.Remove(id);
                }
                await CheckAsync(api);
                if (life == 0)
                {
                    await process.StopAsync();
                    Assert.NotEmpty(Directory.GetFiles(folder.Path, "embeddings.index.*"));
                    continue;
                }
                // The file is brought up to date after the deletion, at the latest during these writes: a kill meets it in one of its steps.
                var writing = Task.Run(async () =>
                {
                    for (var i = 0; ; i++)
                    {
                        await api.Vectors.UpsertVectorsAsync(new() { Collection = "other", Points = { Items.Point($"x{i}", Items.Vector(i)) } });
                    }
                });
                await Task.Delay(TimeSpan.FromMilliseconds(life * 40));
                await process.KillAsync();
                await Assert.ThrowsAsync<RpcException>(() => writing.Bound());
            }
        }

        async Task CheckAsync(Api api)
        {
            if (seeds.Count == 0)
            {
                return;
            }
            Assert.Equal(seeds.Count, (await api.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count);
            var results = new List<SearchResult>();
            foreach (var some in seeds.Values.Concat(gone.Values).Chunk(64))
            {
                var request = new SearchVectorsRequest { Collection = Collection, Limit = 1 };
                request.Queries.AddRange(some.Select(seed => new SearchQuery { Vector = new QueryVector { Values = { Items.Vector(seed) } } }));
                results.AddRange((await api.Vectors.SearchVectorsAsync(request).Bound()).Results);
            }
            Assert.Equal(seeds.Keys, results.Take(seeds.Count).Select(result => result.Points[0].Point.PointId));
            Assert.All(results.Take(seeds.Count), result => Assert.InRange(result.Points[0].Score, 0.9999, 1.0001));
            Assert.All(results.Skip(seeds.Count), result => Assert.InRange(result.Points[0].Score, -1, 0.999));
        }
    }

    [Fact]
    public async Task A_restart_keeps_points_payloads_deletions_and_the_models_of_collections()
    {
        using var folder = new TempFolder();
        Collection before;
        VectorPoint point;
        await using (var server = await TestServer.StartOnAsync(folder.Path))
        {
            await server.Api.Ingest.StreamIngest().ExchangeAsync(Enumerable.Range(0, 50).Select(i => Items.IngestFace(Collection, $"{i}", 0, TestImages.Crop(i))));
            await server.Api.Vectors.DeleteByJobIdAsync(new() { JobId = "7" }).Bound();
            (before, point) = await LookAsync(server.Api);
            await server.StopAsync();
        }
        using var models = new ModelFolder().Add(Items.FaceModel, "other-face", 100);
        await using var again = await TestServer.StartOnAsync(folder.Path, models.Argument);
        Assert.Equal((before, point), await LookAsync(again.Api));
        await again.Api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = "7-0" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        await again.Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1) }, Collection = Collection, Model = "other-face" })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
        var request = new SearchVectorsRequest { Collection = Collection, Queries = { new SearchQuery { Face = TestImages.Crop(9), Model = Items.FaceModel } } };
        Assert.Equal("9-0", (await again.Api.Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points[0].Point.PointId);
    }

    [Fact]
    public async Task A_second_server_on_the_same_directory_fails_with_a_one_line_message()
    {
        using var folder = new TempFolder();
        await using var server = await TestServer.StartOnAsync(folder.Path);
        var (code, output) = await ServerProcess.FailAsync(folder.Path);
        Assert.NotEqual(0, code);
        Assert.Contains("in use by another server", output);
        Assert.DoesNotContain("   at ", output);
        // The first server is not affected.
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point("a", [1]) } }).Bound();
    }

    [Theory]
    [InlineData("--Batching:QueueLimit=0", "QueueLimit")]
    [InlineData("--Server:Listen=nowhere", "Listen")]
    [InlineData("--Server:NoSuchKey=1", "NoSuchKey")]
    [InlineData("--Models:Directories:0=/no/such/folder", "is not a folder")]
    [InlineData("--Models:BuiltIn=false", "BuiltIn")]
    [InlineData("--Sever:GrpcPort=0", "Sever")]
    public async Task An_invalid_configuration_fails_the_start_with_a_one_line_message(string argument, string word)
    {
        using var folder = new TempFolder();
        var (code, output) = await ServerProcess.FailAsync(folder.Path, argument);
        Assert.Equal(1, code);
        Assert.Contains(word, Assert.Single(output.Trim().Split('\n')));
        Assert.DoesNotContain("   at ", output);
    }

    [Fact]
    public async Task Without_models_the_server_serves_its_store()
    {
        await using var server = await TestServer.StartPlainAsync("--Models:UseDefaults=false");
        Assert.Empty((await server.Api.Models.ListModelsAsync(new()).Bound()).Models);
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point("a", [1]) } }).Bound();
        Assert.Equal(Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus.Serving, (await server.Api.Health.CheckAsync(new()).Bound()).Status);
        await server.Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1) }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
    }

    private static async Task IngestAsync(Api api, int stream, HashSet<string> acked, Milestone enough)
    {
        using var call = api.Ingest.StreamIngest();
        var sending = Task.Run(async () =>
        {
            // Until the server is killed.
            for (var i = stream; ; i += 4)
            {
                await call.RequestStream.WriteAsync(Items.IngestFace(Collection, $"{i}", 0, TestImages.Crop(i))).Bound();
            }
        });
        await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None).Bound())
            {
                lock (acked)
                {
                    Assert.True(acked.Add(call.ResponseStream.Current.Ack.PointId));
                }
                enough.Hit();
            }
        });
        await Assert.ThrowsAnyAsync<Exception>(() => sending.Bound());
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
        return ids;
    }

    private static async Task<(Collection Collection, VectorPoint Point)> LookAsync(Api api) => (
        Assert.Single((await api.Vectors.ListCollectionsAsync(new()).Bound()).Collections),
        (await api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = "30-0" }).Bound()).Point);

    private static int Seed(string id) => int.Parse(id.Split('-')[0]);
}
