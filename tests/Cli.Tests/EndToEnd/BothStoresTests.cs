using Embeddings.Cli.Hosting;
using Embeddings.Cli.Samples;
using Embeddings.Client;
using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Embeddings.TestModels;
using Embeddings.V1;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>
/// Results of the command that depend on what is stored: on the embedded store and on Qdrant (<c>QDRANT_BINARY</c>, or its
/// double).
/// </summary>
public sealed class BothStoresTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private IAsyncDisposable? _qdrant;
    private LocalServer? _server;

    public static TheoryData<string> Stores => ["Embedded", "Qdrant"];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
        if (_qdrant is not null)
        {
            await _qdrant.DisposeAsync();
        }
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Resume_does_not_skip_points_of_another_model(string store)
    {
        await StartAsync(store);
        // The ids of an image job and of a face of another job can be equal.
        var images = List("""{"path": "1.jpg", "job_id": "a-0"}""", """{"path": "2.jpg", "job_id": "b"}""");
        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", images, "-c", "mixed")).ExitCode);
        var again = await RunAsync("ingest", images, "-c", "mixed", "--resume");
        Assert.StartsWith("0 stored, 2 skipped, 0 failed", again.Lines[^1], StringComparison.Ordinal);

        var faces = List("""{"path": "1.jpg", "job_id": "a"}""");
        var result = await RunAsync("ingest", faces, "-k", "face", "-c", "mixed", "--resume");
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        var error = Assert.Single(result.ErrorLines);
        Assert.Contains("the 2 points of collection mixed", error, StringComparison.Ordinal);
        Assert.Contains("of model 'descriptor-image' (fingerprint ", error, StringComparison.Ordinal);
        Assert.Contains("not of 'descriptor-face' (fingerprint ", error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Resume_reports_points_of_an_unknown_model(string store)
    {
        await StartAsync(store);
        using (var client = EmbeddingsClient.ForAddress(_server!.Address))
        {
            var point = new VectorPoint { PointId = "a", Vector = { Enumerable.Repeat(1f, 512) } };
            await client.UpsertVectorsAsync(new() { Collection = "image_embeddings", Points = { point } });
        }
        var result = await RunAsync("ingest", List("""{"path": "1.jpg", "job_id": "a"}"""), "--resume");
        Assert.StartsWith("0 stored, 1 skipped, 0 failed", result.Lines[^1], StringComparison.Ordinal);
        Assert.Contains("model of the 1 points of collection image_embeddings is unknown", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_second_item_with_the_same_id_fails_with_the_lines_of_both(string store)
    {
        await StartAsync(store);
        var list = List(
            """{"path": "1.jpg", "job_id": "a", "media_store_id": "first"}""",
            "",
            """{"path": "2.jpg", "job_id": "b"}""",
            """{"path": "2.jpg", "job_id": "a", "media_store_id": "second"}""");
        var result = await RunAsync("ingest", list, "--failed", _folder.File("failed.jsonl"));
        Assert.Equal(ExitCode.SomeItemsFailed, result.ExitCode);
        Assert.StartsWith("2 stored, 0 skipped, 1 failed", result.Lines[^1], StringComparison.Ordinal);
        Assert.Contains(result.ErrorLines, line => line.Contains("ITEM_DUPLICATE: Line 4 has the same point id as line 1: 'a'", StringComparison.Ordinal));
        var stored = Assert.Single((await RunAsync("get", "a", "--json")).Objects);
        Assert.Equal("first", stored.GetProperty("media_store_id").GetString());

        // Faces of one job differ by their index.
        var faces = List("""{"path": "1.jpg", "job_id": "a"}""", """{"path": "1.jpg", "job_id": "a", "face_index": 1}""");
        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", faces, "-k", "face", "--aligned")).ExitCode);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_search_without_results_in_the_default_collection_names_the_others(string store)
    {
        await StartAsync(store);
        var list = List("""{"path": "1.jpg", "job_id": "a"}""", """{"path": "2.jpg", "job_id": "b"}""");
        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", list, "-c", "trees")).ExitCode);

        var missing = await RunAsync("search", _folder.File("1.jpg"));
        Assert.Equal(ExitCode.Failed, missing.ExitCode);
        Assert.Contains("COLLECTION_NOT_FOUND", Assert.Single(missing.ErrorLines), StringComparison.Ordinal);
        Assert.Contains("other collections: trees (2 points)", missing.Error, StringComparison.Ordinal);

        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", list)).ExitCode);
        var empty = await RunAsync("search", _folder.File("1.jpg"), "--job-id", "none");
        Assert.Equal(
            "nothing found in collection image_embeddings; other collections: trees (2 points). Choose one with --collection.",
            Assert.Single(empty.Lines));
        Assert.Equal(
            "nothing found in collection trees",
            Assert.Single((await RunAsync("search", _folder.File("1.jpg"), "--job-id", "none", "-c", "trees")).Lines));
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Attributes_show_in_the_table_of_a_search(string store)
    {
        await StartAsync(store);
        var list = List(
            """{"path": "1.jpg", "job_id": "a", "media_store_id": "m", "attributes": {"year": 2024, "place": "the beach", "good": true, "tags": ["x"]}}""",
            """{"path": "2.jpg", "job_id": "b"}""");
        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", list)).ExitCode);
        var rows = (await CommandResult.RunAsync("search", _folder.File("1.jpg"), "--address", _server!.Address)).Output.Split('\n');
        Assert.Equal("rank\tscore\tpoint\tmedia_store_id\tjob_id\tattributes", rows[0]);
        Assert.Equal("1\t1.0000\ta\tm\ta\tgood=true place=the beach tags=[ \"x\" ] year=2024", rows[1]);
        Assert.StartsWith("2\t", rows[2], StringComparison.Ordinal);
        Assert.EndsWith("\tb\t\tb\t", rows[2], StringComparison.Ordinal);
    }

    private string List(params string[] lines) =>
        _folder.Write($"{Guid.NewGuid():N}.jsonl", string.Join('\n', lines));

    private Task<CommandResult> RunAsync(params string[] args) => CommandResult.RunAsync([.. args, "--address", _server!.Address]);

    private async Task StartAsync(string store)
    {
        foreach (var subject in (int[])[1, 2])
        {
            _folder.Write($"{subject}.jpg", SampleSet.Get(ItemKind.Image, subject, 1).Jpeg.ToArray());
        }
        string[] settings = [.. RunningServer.Settings(_folder.File("data")), $"--Store:Kind={store}"];
        if (store == "Qdrant")
        {
            settings = [.. settings, $"--Store:Qdrant:Url={await StartQdrantAsync()}"];
        }
        _server = await LocalServer.StartAsync(settings, quiet: true, default);
    }

    private async Task<object> StartQdrantAsync()
    {
        if (Tool.Missing("QDRANT_BINARY") is null)
        {
            var node = await QdrantNode.StartAsync();
            _qdrant = node;
            return node.Address;
        }
        var server = new QdrantServer(new());
        _qdrant = server;
        await server.StartAsync();
        return server.Address;
    }
}
