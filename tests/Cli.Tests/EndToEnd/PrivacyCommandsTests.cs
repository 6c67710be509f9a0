using System.Security.Cryptography;
using Embeddings.Cli.Hosting;
using Embeddings.Cli.Samples;
using Embeddings.QdrantDouble;
using Embeddings.Storage;
using Embeddings.Testing.Stores;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>delete --receipt and --suppress, receipt verify, suppression, export, hold, and store compact.</summary>
public sealed class PrivacyCommandsTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly TempFolder _folder = new();
    private LocalServer? _server;

    private string List => _folder.File("suppressed.jsonl");

    private string[] Settings =>
    [
        .. RunningServer.Settings(_folder.File("data")),
        $"--Privacy:ReceiptKeyFile={_folder.File("private.pem")}",
        $"--Privacy:SuppressionFile={List}",
    ];

    public async ValueTask InitializeAsync()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        _folder.Write("private.pem", key.ExportPkcs8PrivateKeyPem());
        _folder.Write("public.pem", key.ExportSubjectPublicKeyInfoPem());
        foreach (var subject in (int[])[1, 2, 3])
        {
            _folder.Write($"{subject}.jpg", SampleSet.Get(ItemKind.Image, subject, 1).Jpeg.ToArray());
        }
        _folder.Write(
            "items.jsonl",
            """{"path": "1.jpg", "job_id": "a", "media_store_id": "m", "attributes": {"person": "Ada \"Lovelace\" Ä"}}""" + "\n"
            + """{"path": "2.jpg", "job_id": "b", "media_store_id": "m"}""" + "\n"
            + """{"path": "3.jpg", "job_id": "c", "media_store_id": "n"}""");
        _server = await LocalServer.StartAsync(Settings, quiet: true, default);
        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", _folder.File("items.jsonl"))).ExitCode);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_suppressed_job_has_a_receipt_and_does_not_come_back_with_resume()
    {
        var receipt = _folder.File("receipt.json");
        var deleted = await RunAsync("delete", "--job-id", "a", "--suppress", "--receipt", receipt);
        Assert.Equal("1 deleted", Assert.Single(deleted.Lines));
        var again = await RunAsync("ingest", _folder.File("items.jsonl"), "--resume");
        Assert.Equal(ExitCode.SomeItemsFailed, again.ExitCode);
        Assert.StartsWith("0 stored, 2 skipped, 1 failed", again.Lines[^1], StringComparison.Ordinal);
        Assert.Contains("SUPPRESSED", again.Error, StringComparison.Ordinal);

        string[] verify = ["receipt", "verify", receipt, "--key", _folder.File("public.pem")];
        var valid = await CommandResult.RunAsync(verify);
        Assert.Equal(ExitCode.Done, valid.ExitCode);
        Assert.StartsWith("valid, signed by key ", valid.Lines[0], StringComparison.Ordinal);
        Assert.Contains(valid.Lines, line => line.StartsWith("deleted_count", StringComparison.Ordinal) && line.EndsWith(" 1", StringComparison.Ordinal));
        var json = Assert.Single((await CommandResult.RunAsync([.. verify, "--json"])).Objects);
        Assert.Equal("embeddings.v1.VectorStoreService/DeleteByJobId", json.At("signed.method").GetString());
        // An existing receipt is not overwritten, and nothing is deleted.
        Assert.Contains("must be a new file", (await RunAsync("delete", "b", "--receipt", receipt)).Error, StringComparison.Ordinal);
        Assert.Equal("2", Assert.Single((await RunAsync("count")).Lines));

        // What is changed in the file does not pass.
        var text = await File.ReadAllTextAsync(receipt);
        await File.WriteAllTextAsync(receipt, text.Replace("DeleteByJobId", "DeleteCollection", StringComparison.Ordinal));
        Assert.Contains("field method", (await CommandResult.RunAsync(verify)).Error, StringComparison.Ordinal);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await File.WriteAllTextAsync(receipt, text);
        _folder.Write("other.pem", other.ExportSubjectPublicKeyInfoPem());
        var wrong = await CommandResult.RunAsync("receipt", "verify", receipt, "--key", _folder.File("other.pem"));
        Assert.Equal(ExitCode.Failed, wrong.ExitCode);
        Assert.Contains("not signed by this key", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_suppressed_job_is_permitted_again_after_its_removal_from_the_list()
    {
        await RunAsync("delete", "--job-id", "a", "--suppress");
        await RunAsync("delete", "b", "--suppress");
        var inUse = await CommandResult.RunAsync("suppression", "count", List);
        Assert.Equal(ExitCode.Failed, inUse.ExitCode);
        Assert.Contains("must be stopped", inUse.Error, StringComparison.Ordinal);
        await StopAsync();

        Assert.Equal("2", Assert.Single((await CommandResult.RunAsync("suppression", "count", List)).Lines));
        Assert.Equal("0 removed, 2 left", Assert.Single((await CommandResult.RunAsync("suppression", "remove", List, "--job-id", "b")).Lines));
        var removed = await CommandResult.RunAsync("suppression", "remove", List, "--job-id", "a");
        Assert.Equal("1 removed, 1 left", Assert.Single(removed.Lines));
        Assert.Equal(
            "1 removed, 0 left",
            Assert.Single((await CommandResult.RunAsync("suppression", "remove", List, "--point-id", "b", "-c", "image_embeddings")).Lines));
        _server = await LocalServer.StartAsync(Settings, quiet: true, default);
        var again = await RunAsync("ingest", _folder.File("items.jsonl"), "--resume");
        Assert.StartsWith("2 stored, 1 skipped, 0 failed", again.Lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Export_writes_everything_that_is_stored_about_a_job()
    {
        Assert.Equal(ExitCode.Done, (await RunAsync("ingest", _folder.File("items.jsonl"), "-c", "second")).ExitCode);
        var file = _folder.File("a.jsonl");
        var exported = await RunAsync("export", "--job-id", "a", "--vectors", "--to", file);
        Assert.Equal(ExitCode.Done, exported.ExitCode);
        Assert.Contains("2 points exported", exported.Error, StringComparison.Ordinal);
        var lines = (await File.ReadAllLinesAsync(file)).Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(["image_embeddings", "second"], lines.Select(line => line.GetProperty("collection").GetString()));
        Assert.All(lines, line =>
        {
            Assert.Equal(["a", "a", "m", "Ada \"Lovelace\" Ä"], line.Texts("point_id", "job_id", "media_store_id", "attributes.person"));
            Assert.Equal(512, line.GetProperty("vector").GetArrayLength());
            Assert.True(line.GetProperty("stored_at").GetDateTimeOffset() > DateTimeOffset.UnixEpoch);
        });
        var person = await RunAsync("export", "--attribute", "person=Ada \"Lovelace\" Ä", "-c", "second");
        Assert.False(Assert.Single(person.Objects).TryGetProperty("vector", out _));
        Assert.Equal(2 * 3, (await RunAsync("export", "--all")).Objects.Count);
        Assert.Equal(4, (await RunAsync("export", "--media-store-id", "m")).Objects.Count);
        Assert.Contains("Set either conditions", (await RunAsync("export")).Error, StringComparison.Ordinal);
        Assert.Contains("must be a new file", (await RunAsync("export", "--all", "--to", file)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Points_on_hold_are_kept_until_the_hold_ends()
    {
        Assert.Equal("1 changed", Assert.Single((await RunAsync("hold", "--job-id", "a")).Lines));
        Assert.Equal("0 deleted, 1 kept: they are on legal hold", Assert.Single((await RunAsync("delete", "a")).Lines));
        Assert.Contains("on_hold         true", (await RunAsync("get", "a")).Lines);
        var whole = await RunAsync("delete", "--whole-collection", "-c", "image_embeddings");
        Assert.Equal("2 deleted, 1 kept: they are on legal hold", Assert.Single(whole.Lines));
        Assert.Equal("1 changed", Assert.Single((await RunAsync("hold", "a", "--end")).Lines));
        Assert.Equal("1 deleted", Assert.Single((await RunAsync("delete", "a")).Lines));
    }

    [Fact]
    public async Task Compact_gives_unused_space_back_and_keeps_the_points()
    {
        await StopAsync();
        var directory = _folder.File("other");
        var setting = $"--Store:Embedded:Directory={directory}";
        await using (var store = await EmbeddedStores.StartAsync(directory))
        {
            await store.EnsureCollectionAsync(new("faces", 256, null), None);
            await store.UpsertAsync("faces", [.. Enumerable.Range(0, 2000).Select(i => Point($"p{i}", i))], None);
            await store.DeleteAsync("faces", [.. Enumerable.Range(0, 1900).Select(i => $"p{i}")], None);
            Assert.Contains("in use", (await CommandResult.RunAsync("store", "compact", setting)).Error, StringComparison.Ordinal);
        }

        var compacted = Assert.Single((await CommandResult.RunAsync("store", "compact", "--json", setting)).Objects);
        Assert.True(compacted.GetProperty("bytes_after").GetInt64() * 5 < compacted.GetProperty("bytes_before").GetInt64());
        await using var again = await EmbeddedStores.StartAsync(directory);
        Assert.Equal(100, await again.CountAsync("faces", PointFilter.All, None));
        Assert.Equal(Point("p1950", 1950).Vector.ToArray(), (await again.GetAsync("faces", "p1950", None))!.Vector.ToArray());
    }

    [Fact]
    public async Task A_copy_keeps_times_and_holds_in_both_directions()
    {
        await using var qdrant = await QdrantServer.StartNewAsync();
        var time = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123);
        await using (var store = await EmbeddedStores.StartAsync(_folder.File("from")))
        {
            await store.EnsureCollectionAsync(new("faces", 256, null), None);
            var payload = new PointPayload { StoredAt = time, ExpiresAt = time.AddYears(90), OnHold = true };
            await store.UpsertAsync("faces", [Point("held", 1) with { Payload = payload }, Point("free", 2)], None);
        }
        string[] there = [$"--Store:Qdrant:Url={qdrant.Address}", $"--Store:Embedded:Directory={_folder.File("from")}"];
        string[] back = [there[0], $"--Store:Embedded:Directory={_folder.File("to")}"];
        for (var round = 0; round < 2; round++)
        {
            await CopyAsync("embedded", "qdrant", there);
            await CopyAsync("qdrant", "embedded", back);
        }
        await using var copied = await EmbeddedStores.StartAsync(_folder.File("to"));
        var held = (await copied.GetAsync("faces", "held", None))!.Payload;
        Assert.Equal((time, time.AddYears(90), true), (held.StoredAt!.Value, held.ExpiresAt!.Value, held.OnHold));
        Assert.Equal(new DeleteCounts(1, 1), await copied.DeleteAsync("faces", ["held", "free"], null, None));
    }

    private async Task CopyAsync(string from, string to, string[] settings)
    {
        var result = await CommandResult.RunAsync(
            ["store", "copy", "--from", from, "--to", to, "--state", _folder.File("state.json"), .. settings]);
        Assert.True(result.ExitCode == ExitCode.Done, result.Error);
    }

    private static StoredPoint Point(string id, int seed)
    {
        var random = new Random(seed);
        return new(id, Enumerable.Range(0, 256).Select(_ => (float)random.NextDouble()).ToArray(), PointPayload.Empty);
    }

    private Task<CommandResult> RunAsync(params string[] args) => CommandResult.RunAsync([.. args, "--address", _server!.Address]);

    private async Task StopAsync()
    {
        if (_server is { } server)
        {
            _server = null;
            await server.DisposeAsync();
        }
    }
}
