using Embeddings.Cli.Hosting;
using Embeddings.QdrantDouble;
using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.TestModels;
using Embeddings.Tooling.Stores;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>store copy, doctor and run with vectors in Qdrant (its double).</summary>
public sealed class QdrantCommandsTests : IAsyncLifetime
{
    private const string Key = "secret";

    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TempFolder _folder = new();
    private readonly QdrantServer _qdrant = new(new() { ApiKey = Key });

    private string[] Settings =>
        [$"--Store:Qdrant:Url={_qdrant.Address}", $"--Store:Qdrant:ApiKey={Key}", $"--Store:Embedded:Directory={_folder.File("data")}"];

    public async ValueTask InitializeAsync() => await _qdrant.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _qdrant.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Copies_in_both_directions_give_the_same_results()
    {
        // EMBEDDINGS_TEST_COPY=100000 is the full run; this number shows the same in a second.
        var points = int.TryParse(Environment.GetEnvironmentVariable("EMBEDDINGS_TEST_COPY"), out var number)
            ? number
            : 5_000;
        var random = new Random(7);
        var queries = Enumerable.Range(0, 8).Select(_ => new VectorQuery(Vector(random))).ToList();
        var original = await WithStoreAsync(StoreKind.Embedded, async store =>
        {
            await store.EnsureCollectionAsync(new("faces", 32, new("m", new string('a', 64))), None);
            foreach (var chunk in Enumerable.Range(0, points).Chunk(1000))
            {
                await store.UpsertAsync("faces", [.. chunk.Select(i => Point(i, random))], None);
            }
            return await AnswersAsync(store, queries);
        });

        var there = await CopyAsync("embedded", "qdrant", Settings);
        Assert.Equal((points, points, points), there);
        Assert.Equal(original, await WithStoreAsync(StoreKind.Qdrant, store => AnswersAsync(store, queries)));

        // Back, into an empty folder.
        string[] back = [.. Settings[..2], $"--Store:Embedded:Directory={_folder.File("back")}"];
        Assert.Equal((points, points, points), await CopyAsync("qdrant", "embedded", back));
        Assert.Equal(original, await WithStoreAsync(StoreKind.Embedded, store => AnswersAsync(store, queries), back));
    }

    [Fact]
    public async Task An_interrupted_copy_resumes()
    {
        await WithStoreAsync(StoreKind.Embedded, async store =>
        {
            var random = new Random(1);
            await store.EnsureCollectionAsync(new("faces", 32, null), None);
            await store.UpsertAsync("faces", [.. Enumerable.Range(0, 2500).Select(i => Point(i, random))], None);
            await store.EnsureCollectionAsync(new("images", 32, null), None);
            return 0;
        });
        var state = CopyState.Read(_folder.File("state.json"));
        await WithStoreAsync(StoreKind.Embedded, async source => await WithStoreAsync(StoreKind.Qdrant, async target =>
        {
            using var cancellation = new CancellationTokenSource();
            var faces = (await source.FindCollectionAsync("faces", None))!;
            // The copy is canceled after the first page.
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => new StoreCopier(source, target).CopyAsync(
                faces,
                "",
                (_, next) =>
                {
                    state.Set("faces", next);
                    cancellation.Cancel();
                    cancellation.Token.ThrowIfCancellationRequested();
                },
                cancellation.Token));
            return 0;
        }));

        var result = await CommandResult.RunAsync(["store", "copy", "--from", "embedded", "--to", "qdrant", "--state", _folder.File("state.json"), "--json", .. Settings]);
        Assert.Equal(ExitCode.Done, result.ExitCode);
        Assert.Equal((1500, 2500), (Number(result, 0, "copied"), Number(result, 0, "target_count")));
        Assert.Equal((0, 0), (Number(result, 1, "copied"), Number(result, 1, "target_count")));
        Assert.False(File.Exists(_folder.File("state.json")));
    }

    [Fact]
    public async Task Different_counts_at_the_end_are_a_failure()
    {
        await WithStoreAsync(StoreKind.Embedded, async store =>
        {
            await store.EnsureCollectionAsync(new("faces", 32, null), None);
            await store.UpsertAsync("faces", [Point(1, new(1))], None);
            return 0;
        });
        await WithStoreAsync(StoreKind.Qdrant, async store =>
        {
            await store.EnsureCollectionAsync(new("faces", 32, null), None);
            await store.UpsertAsync("faces", [Point(2, new(2))], None);
            return 0;
        });
        var result = await CommandResult.RunAsync(["store", "copy", "--from", "embedded", "--to", "qdrant", "--state", _folder.File("state.json"), .. Settings]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains("1 points in the source, 2 in the target: NOT EQUAL", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_doctor_passes_a_correct_deployment_and_leaves_no_collection()
    {
        await using var server = await ServeAsync();
        var result = await CommandResult.RunAsync(["doctor", "--address", server.Address]);
        Assert.Equal(ExitCode.Done, result.ExitCode);
        Assert.Equal("all checks passed", result.Lines[^1]);
        Assert.Empty(await WithStoreAsync(StoreKind.Qdrant, store => store.ListCollectionsAsync(None)));
    }

    [Fact]
    public async Task The_doctor_reports_a_stopped_store()
    {
        await using var server = await ServeAsync();
        await _qdrant.DisposeAsync();
        var result = await CommandResult.RunAsync(["doctor", "--address", server.Address]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(result.Lines, line => line.StartsWith("ok    model descriptor-face", StringComparison.Ordinal));
        Assert.Contains(result.Lines, line => line.StartsWith("FAIL  store upsert", StringComparison.Ordinal) && line.Contains("STORE_UNAVAILABLE", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_doctor_reports_a_wrong_key()
    {
        await using var server = await ServeAsync("--Store:Qdrant:ApiKey=wrong");
        var result = await CommandResult.RunAsync(["doctor", "--address", server.Address]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(result.Lines, line => line.StartsWith("FAIL  store upsert", StringComparison.Ordinal) && line.Contains("API key", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_doctor_reports_a_collection_of_another_dimension()
    {
        await WithStoreAsync(StoreKind.Qdrant, async store =>
        {
            await store.EnsureCollectionAsync(new("face_embeddings", 128, null), None);
            return 0;
        });
        await using var server = await ServeAsync();
        var result = await CommandResult.RunAsync(["doctor", "--address", server.Address]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        var line = Assert.Single(result.Lines, line => line.StartsWith("FAIL", StringComparison.Ordinal));
        Assert.Contains("face_embeddings contains 128-dimensional vectors; the default model descriptor-face returns "
            + "512 dimensions.", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_once_finds_the_samples_in_Qdrant()
    {
        var result = await CommandResult.RunAsync(
            ["run", "--once", "--store", "qdrant", "--grpc-port", "0", "--http-port", "-1", "--data", _folder.File("data"), .. Descriptor.Settings, .. Settings[..2]]);
        Assert.Equal(ExitCode.Done, result.ExitCode);
        Assert.Equal("rank-1 24/24", result.Lines[^1]);
    }

    private static float[] Vector(Random random) =>
        [.. Enumerable.Range(0, 32).Select(_ => (float)(random.NextDouble() - 0.5))];

    private static StoredPoint Point(int i, Random random) => new(
        $"job-{i / 4}-{i % 4}", Vector(random), new() { JobId = $"job-{i / 4}", MediaStoreId = $"media-{i % 10}", FaceIndex = i % 4, Confidence = i % 100 / 100f });

    private static int Number(CommandResult result, int line, string name) =>
        result.Objects[line].GetProperty(name).GetInt32();

    private static async Task<List<string>> AnswersAsync(IVectorStore store, IReadOnlyList<VectorQuery> queries)
    {
        var all = await store.SearchAsync("faces", queries, new() { Limit = 5, Exact = true }, None);
        var some = await store.SearchAsync("faces", queries, new() { Limit = 5, Exact = true, Filter = new() { MediaStoreId = "media-3" } }, None);
        // Rounded: the two sum in another order.
        return [.. all.Concat(some).Select(found => string.Join(" ", found.Select(point => $"{point.Point.Id}:{point.Score:F4}:{point.Point.Payload.Confidence}")))];
    }

    private async Task<(int Copied, int Source, int Target)> CopyAsync(string from, string to, string[] settings)
    {
        var result = await CommandResult.RunAsync(["store", "copy", "--from", from, "--to", to, "--state", _folder.File("copy.json"), "--json", .. settings]);
        Assert.True(result.ExitCode == ExitCode.Done, $"{result.ExitCode}: {result.Output} {result.Error}");
        return (Number(result, 0, "copied"), Number(result, 0, "source_count"), Number(result, 0, "target_count"));
    }

    private async Task<T> WithStoreAsync<T>(StoreKind kind, Func<IVectorStore, Task<T>> work, string[]? settings = null)
    {
        await using var opened = await OpenStore.OpenAsync(kind, settings ?? Settings, None);
        return await work(opened.Store);
    }

    private Task<LocalServer> ServeAsync(params string[] more) => LocalServer.StartAsync(
        ["--Server:GrpcPort=0", "--Server:HttpPort=-1", "--Store:Kind=Qdrant", "--Store:Qdrant:WriteRetrySeconds=0.5", .. Descriptor.Settings, .. Settings, .. more], quiet: true, None);
}
