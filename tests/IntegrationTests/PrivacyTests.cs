using System.Security.Cryptography;
using System.Text;
using Embeddings.Core;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Privacy;
using Embeddings.Storage;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.IntegrationTests;

/// <summary>Receipts, the suppression list, legal holds, and retention, over the wire on every store.</summary>
public sealed class PrivacyTests : IDisposable
{
    private const string Name = "people";
    private readonly TempFolder _folder = new();

    public static TheoryData<string> Stores => StartedStore.All;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_receipt_proves_which_points_were_deleted(string store)
    {
        var (settings, publicKey) = Key();
        await using var started = await StartedStore.StartAsync(store, null, settings);
        var vectors = started.Server.Api.Vectors;
        await UpsertAsync(vectors, Name, 10);
        await UpsertAsync(vectors, "other", 4);

        var byIds = await vectors.DeleteVectorsAsync(
            new() { Collection = Name, PointIds = { "p3", "unknown", "p1" }, WithReceipt = true }).Bound();
        await IsProvenAsync(byIds.Receipt, "DeleteVectors", 2, [Name], [(Name, "p1"), (Name, "p3")], publicKey);
        var byFilter = await vectors.DeleteVectorsAsync(
            new() { Collection = Name, Filter = new() { MediaStoreId = "m0" }, WithReceipt = true }).Bound();
        await IsProvenAsync(byFilter.Receipt, "DeleteVectors", 5, [Name], Even(Name, 10), publicKey);
        var byJob = await vectors.DeleteByJobIdAsync(new() { JobId = "job", WithReceipt = true }).Bound();
        await IsProvenAsync(
            byJob.Receipt,
            "DeleteByJobId",
            7,
            ["other", Name],
            [.. Enumerable.Range(0, 4).Select(i => ("other", $"p{i}")), (Name, "p5"), (Name, "p7"), (Name, "p9")],
            publicKey);
        await UpsertAsync(vectors, Name, 3);
        var whole = await vectors.DeleteCollectionAsync(new() { Collection = Name, WithReceipt = true }).Bound();
        await IsProvenAsync(whole.Receipt, "DeleteCollection", 3, [Name], [(Name, "p0"), (Name, "p1"), (Name, "p2")], publicKey);
        Assert.Null((await vectors.DeleteByJobIdAsync(new() { JobId = "job" }).Bound()).Receipt);
        var nothing = await vectors.DeleteByJobIdAsync(new() { JobId = "job", Collection = "other", WithReceipt = true }).Bound();
        await IsProvenAsync(nothing.Receipt, "DeleteByJobId", 0, ["other"], [], publicKey);
    }

    [Fact]
    public async Task Without_a_key_or_a_list_nothing_is_deleted()
    {
        await using var server = await TestServer.StartAsync();
        var vectors = server.Api.Vectors;
        await UpsertAsync(vectors, Name, 2);
        await vectors.DeleteVectorsAsync(new() { Collection = Name, PointIds = { "p0" }, WithReceipt = true })
            .FailsAsync(StatusCode.FailedPrecondition, "RECEIPT_KEY_MISSING");
        await vectors.DeleteByJobIdAsync(new() { JobId = "job", WithReceipt = true }).FailsAsync(StatusCode.FailedPrecondition, "RECEIPT_KEY_MISSING");
        await vectors.DeleteCollectionAsync(new() { Collection = Name, WithReceipt = true })
            .FailsAsync(StatusCode.FailedPrecondition, "RECEIPT_KEY_MISSING");
        await vectors.DeleteVectorsAsync(new() { Collection = Name, PointIds = { "p0" }, Suppress = true })
            .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSION_OFF");
        await vectors.DeleteByJobIdAsync(new() { JobId = "job", Suppress = true }).FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSION_OFF");
        Assert.Equal(2, (await vectors.CountVectorsAsync(new() { Collection = Name }).Bound()).Count);
    }

    [Fact]
    public async Task A_file_without_a_private_key_fails_the_start()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        foreach (var (content, reason) in ((string, string)[])
            [
                (key.ExportSubjectPublicKeyInfoPem(), "has only a public key"),
                (other.ExportPkcs8PrivateKeyPem(), "has a key of another curve"),
                ("no key", "has no such key"),
            ])
        {
            await File.WriteAllTextAsync(_folder.File("key.pem"), content);
            var error = await Assert.ThrowsAnyAsync<Exception>(
                () => TestServer.StartAsync($"--Privacy:ReceiptKeyFile={_folder.File("key.pem")}"));
            Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Suppressed_jobs_and_points_are_refused_on_every_way_into_the_store(string store)
    {
        await using var started = await StartedStore.StartAsync(store, null, $"--Privacy:SuppressionFile={List}");
        var api = started.Server.Api;
        await UpsertAsync(api.Vectors, Name, 10);
        await api.Vectors.DeleteVectorsAsync(new() { Collection = Name, PointIds = { "p1", "never-stored" }, Suppress = true }).Bound();
        var byFilter = new DeleteVectorsRequest { Collection = Name, Filter = new() { MediaStoreId = "m0" }, Suppress = true };
        Assert.Equal(5, (await api.Vectors.DeleteVectorsAsync(byFilter).Bound()).DeletedCount);
        await api.Vectors.DeleteByJobIdAsync(new() { JobId = "gone", Suppress = true }).Bound();
        await api.Vectors.DeleteByJobIdAsync(new() { JobId = "gone-here", Collection = Name, Suppress = true }).Bound();

        foreach (var id in (string[])["p1", "never-stored", "p0", "p8"])
        {
            await api.Vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { Point(id, "x") } })
                .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
        }
        await api.Vectors.UpsertVectorsAsync(new() { Collection = "elsewhere", Points = { Point("p1", "x") } }).Bound();
        await api.Vectors.UpsertVectorsAsync(new() { Collection = "elsewhere", Points = { Point("a", "gone") } })
            .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
        await api.Vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { Point("a", "gone-here") } })
            .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
        await api.Vectors.UpsertVectorsAsync(new() { Collection = "elsewhere", Points = { Point("b", "gone-here") } }).Bound();
        await api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "gone", Face = TestImages.Crop(1) } })
            .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
        await api.Ingest.IngestImageAsync(new() { Item = new() { JobId = "gone", Image = TestImages.Crop(1).Image } })
            .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
        await api.Ingest.IngestPhotoAsync(new() { Item = new() { JobId = "gone", Photo = TestImages.Crop(1).Image } })
            .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
        // In a stream, only that item fails.
        var answers = await api.Ingest.StreamIngest().ExchangeAsync(
            [Items.IngestFace("faces", "a", 0, TestImages.Crop(1)), Items.IngestFace("faces", "gone", 0, TestImages.Crop(2)), Items.IngestFace("faces", "b", 0, TestImages.Crop(3))]);
        Assert.Equal(["", "SUPPRESSED", ""], answers.Select(answer => answer.Error?.Reason ?? ""));
        var upserts = await api.Vectors.StreamUpsertVectors().ExchangeAsync(
            [Items.Upsert(Name, "p1", [1, 2]), Items.Upsert(Name, "new", [1, 2])]);
        Assert.Equal(["SUPPRESSED", ""], upserts.Select(answer => answer.Error?.Reason ?? ""));

        var text = await File.ReadAllTextAsync(List);
        Assert.DoesNotContain("gone", text, StringComparison.Ordinal);
        Assert.DoesNotContain("never-stored", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restored_backup_loses_its_suppressed_points_before_the_server_serves()
    {
        var data = _folder.File("data");
        var backup = _folder.File("backup");
        string[] settings = [$"--Privacy:SuppressionFile={List}"];
        await using (var server = await TestServer.StartOnAsync(data, settings))
        {
            await UpsertAsync(server.Api.Vectors, Name, 100);
            await UpsertAsync(server.Api.Vectors, "other", 5, job: "gone");
            await server.StopAsync();
        }
        Directory.CreateDirectory(backup);
        foreach (var file in Directory.GetFiles(data))
        {
            File.Copy(file, Path.Combine(backup, Path.GetFileName(file)));
        }
        await using (var server = await TestServer.StartOnAsync(data, settings))
        {
            await server.Api.Vectors.DeleteByJobIdAsync(new() { JobId = "gone", Suppress = true }).Bound();
            await server.Api.Vectors.DeleteVectorsAsync(new() { Collection = Name, PointIds = { "p7", "p8" }, Suppress = true }).Bound();
            await server.StopAsync();
        }
        await using var restored = await TestServer.StartOnAsync(backup, settings);
        Assert.Equal(98, (await restored.Api.Vectors.CountVectorsAsync(new() { Collection = Name }).Bound()).Count);
        Assert.Equal(0, (await restored.Api.Vectors.CountVectorsAsync(new() { Collection = "other" }).Bound()).Count);
        await restored.Api.Vectors.GetVectorAsync(new() { Collection = Name, PointId = "p7" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
    }

    [Fact]
    public async Task The_list_survives_a_kill_and_an_incomplete_last_line()
    {
        var (process, api) = await ServerProcess.StartAsync(_folder.File("data"), $"--Privacy:SuppressionFile={List}");
        using (process)
        using (api)
        {
            await api.Vectors.DeleteByJobIdAsync(new() { JobId = "gone", Suppress = true }).Bound();
            await process.KillAsync();
        }
        await File.AppendAllTextAsync(List, """{"kind":"job","dig""");
        (process, api) = await ServerProcess.StartAsync(_folder.File("data"), $"--Privacy:SuppressionFile={List}");
        using (process)
        using (api)
        {
            await api.Vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { Point("a", "gone") } })
                .FailsAsync(StatusCode.FailedPrecondition, "SUPPRESSED");
            var (code, output) = await ServerProcess.FailAsync(_folder.File("second"), $"--Privacy:SuppressionFile={List}");
            Assert.Equal(1, code);
            Assert.Contains("suppression list", Assert.Single(output.Trim().Split('\n')), StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Points_on_hold_are_kept_by_every_deletion_and_counted(string store)
    {
        await using var started = await StartedStore.StartAsync(store);
        var vectors = started.Server.Api.Vectors;
        await UpsertAsync(vectors, Name, 10);
        await UpsertAsync(vectors, "other", 2);
        Assert.Equal(1, (await vectors.SetLegalHoldAsync(new() { Collection = Name, PointIds = { "p1", "unknown" }, Hold = true }).Bound()).ChangedCount);
        Assert.Equal(5, (await vectors.SetLegalHoldAsync(new() { Filter = new() { MediaStoreId = "m0" }, Collection = Name, Hold = true }).Bound()).ChangedCount);
        Assert.Equal(0, (await vectors.SetLegalHoldAsync(new() { Filter = new() { MediaStoreId = "m0" }, Collection = Name, Hold = true }).Bound()).ChangedCount);
        Assert.True((await vectors.GetVectorAsync(new() { Collection = Name, PointId = "p1" }).Bound()).Point.OnHold);
        Assert.Equal(6, (await vectors.CountVectorsAsync(new() { Collection = Name, Filter = new() { OnHold = true } }).Bound()).Count);
        Assert.Equal(4, (await vectors.CountVectorsAsync(new() { Collection = Name, Filter = new() { OnHold = false } }).Bound()).Count);

        await vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { Point("p1", "job") } }).FailsAsync(StatusCode.FailedPrecondition, "POINT_ON_HOLD");
        var byIds = await vectors.DeleteVectorsAsync(new() { Collection = Name, PointIds = { "p1", "p2", "p3" } }).Bound();
        Assert.Equal((1, 2), (byIds.DeletedCount, byIds.HeldCount));
        var byFilter = await vectors.DeleteVectorsAsync(new() { Collection = Name, Filter = new() { MediaStoreId = "m0" } }).Bound();
        Assert.Equal((0, 5), (byFilter.DeletedCount, byFilter.HeldCount));
        var byJob = await vectors.DeleteByJobIdAsync(new() { JobId = "job" }).Bound();
        Assert.Equal((3 + 2, 6), (byJob.DeletedCount, byJob.HeldCount));
        var whole = await vectors.DeleteCollectionAsync(new() { Collection = Name }).Bound();
        Assert.Equal((0, 6), (whole.DeletedCount, whole.HeldCount));

        Assert.Equal(6, (await vectors.SetLegalHoldAsync(new() { Filter = new() { JobId = "job" }, Hold = false }).Bound()).ChangedCount);
        whole = await vectors.DeleteCollectionAsync(new() { Collection = Name }).Bound();
        Assert.Equal((6, 0), (whole.DeletedCount, whole.HeldCount));
        await vectors.SetLegalHoldAsync(new() { Collection = Name, Filter = new(), Hold = true }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await vectors.SetLegalHoldAsync(new() { PointIds = { "a" }, Hold = true }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "collection");
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Expired_points_are_deleted_by_their_time_or_by_the_period_of_their_collection(string store)
    {
        await using var started = await StartedStore.StartAsync(store, null, "--Privacy:SweepSeconds=86400");
        var api = started.Server.Api;
        var now = TimeProvider.System.GetUtcNow();
        var point = Point("dated", "job");
        point.Payload.ExpiresAt = now.AddDays(10).ToTimestamp();
        await api.Vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { point, Point("plain", "job"), Point("held", "job") } }).Bound();
        await api.Vectors.UpsertVectorsAsync(new() { Collection = "kept", Points = { Point("plain", "job") } }).Bound();
        var face = Items.IngestFace("faces", "job", 0, TestImages.Crop(1));
        face.Face.ExpiresAt = now.AddDays(10).ToTimestamp();
        Assert.NotNull((await api.Ingest.StreamIngest().ExchangeAsync([face]))[0].Ack);
        await api.Vectors.SetLegalHoldAsync(new() { Collection = Name, PointIds = { "held" }, Hold = true }).Bound();
        var stored = (await api.Vectors.GetVectorAsync(new() { Collection = Name, PointId = "dated" }).Bound()).Point;
        Assert.Equal(now.AddDays(10).ToUnixTimeMilliseconds(), stored.Payload.ExpiresAt.ToDateTimeOffset().ToUnixTimeMilliseconds());
        Assert.InRange(stored.StoredAt.ToDateTimeOffset(), now.AddMinutes(-5), now.AddMinutes(5));

        var time = new FakeTimeProvider(now.AddDays(9));
        var options = new PrivacyOptions { Retention = ["peop?e=20", "k*=30"] };
        using var sweeper = new RetentionSweeper(
            started.Server.Get<IVectorStore>(), options, started.Server.Get<EmbeddingMetrics>(), time, NullLogger<RetentionSweeper>.Instance);
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal((3L, 1L, 1L), await CountsAsync());
        time.Advance(TimeSpan.FromDays(2));
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal((2L, 1L, 0L), await CountsAsync());
        time.Advance(TimeSpan.FromDays(10));
        await sweeper.SweepAsync(CancellationToken.None);
        Assert.Equal((1L, 1L, 0L), await CountsAsync());
        Assert.NotNull((await api.Vectors.GetVectorAsync(new() { Collection = Name, PointId = "held" }).Bound()).Point);

        async Task<(long, long, long)> CountsAsync() => (
            await CountAsync(api.Vectors, Name), await CountAsync(api.Vectors, "kept"), await CountAsync(api.Vectors, "faces"));
    }

    [Fact]
    public async Task The_server_sweeps_by_itself_and_logs_the_number()
    {
        await using var server = await TestServer.StartAsync("--Privacy:SweepSeconds=1", "--Logging:LogLevel:Embeddings.Server.Privacy=Information");
        var point = Point("old", "job");
        point.Payload.ExpiresAt = TimeProvider.System.GetUtcNow().AddDays(-1).ToTimestamp();
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Name, Points = { point, Point("new", "job") } }).Bound();
        while (await CountAsync(server.Api.Vectors, Name) > 1)
        {
            await Task.Delay(50);
        }
        Assert.Equal(1, await CountAsync(server.Api.Vectors, Name));
    }

    [Theory]
    [InlineData("faces", "must be GLOB=DAYS")]
    [InlineData("faces=0", "must be GLOB=DAYS")]
    [InlineData("faces=x", "must be GLOB=DAYS")]
    public async Task An_invalid_period_fails_the_start(string entry, string reason)
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => TestServer.StartAsync($"--Privacy:Retention:0={entry}"));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_of_a_deleted_person_is_left_in_the_files_of_a_running_server_or_after_a_kill()
    {
        var data = _folder.File("data");
        string[] settings = ["--Store:Embedded:EraseSeconds=2"];
        var vector = Items.Vector(77);
        byte[][] traces =
        [
            System.Runtime.InteropServices.MemoryMarshal.AsBytes(vector.AsSpan(100, 16)).ToArray(),
            "Ada Lovelace"u8.ToArray(),
            "job-of-ada"u8.ToArray(),
        ];
        var (process, api) = await ServerProcess.StartAsync(data, settings);
        using (process)
        using (api)
        {
            await StoreAsync(api);
            Assert.True(Has(traces));
            await api.Vectors.DeleteByJobIdAsync(new() { JobId = "job-of-ada" }).Bound();
            await GoneAsync();

            await StoreAsync(api);
            await api.Vectors.DeleteVectorsAsync(new() { Collection = "people", Filter = new() { JobId = "job-of-ada" } }).Bound();
            await process.KillAsync();
        }
        (process, api) = await ServerProcess.StartAsync(data, settings);
        using (process)
        using (api)
        {
            await GoneAsync();
            Assert.Equal(300, await CountAsync(api.Vectors, "people"));
        }

        async Task StoreAsync(Infrastructure.Api api)
        {
            await api.Vectors.UpsertVectorsAsync(
                new() { Collection = "people", Points = { Enumerable.Range(0, 300).Select(i => Items.Point($"p{i}", Items.Vector(1000 + i))) } }).Bound();
            var payload = new Payload { JobId = "job-of-ada", FaceIndex = 0 };
            await api.Vectors.UpsertVectorsAsync(new() { Collection = "people", Points = { Items.Point("job-of-ada-0", vector, payload) } }).Bound();
            await api.Persons.NamePersonAsync(new() { Collection = "people", PointIds = { "job-of-ada-0" }, Person = "Ada Lovelace" }).Bound();
        }

        async Task GoneAsync()
        {
            for (var attempt = 0; Has(traces); attempt++)
            {
                Assert.True(attempt < 600, "Traces are left.");
                await Task.Delay(100);
            }
        }

        // The lock cannot be read while the server runs.
        bool Has(byte[][] any) => Directory.GetFiles(data).Where(path => !path.EndsWith(".lock", StringComparison.Ordinal)).Any(path =>
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[file.Length];
            var read = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return any.Any(trace => bytes.AsSpan(0, read).IndexOf(trace) >= 0);
        });
    }

    private string List => _folder.File("suppressed.jsonl");

    private static async Task IsProvenAsync(
        DeletionReceipt receipt, string method, int count, string[] collections, (string Collection, string Id)[] points, string publicKey)
    {
        var hashes = points
            .Select(point => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{point.Collection}/{point.Id}"))))
            .Order(StringComparer.Ordinal)
            .SelectMany(Convert.FromHexString)
            .ToArray();
        Assert.Equal($"embeddings.v1.VectorStoreService/{method}", receipt.Method);
        Assert.Equal((count, 0), (receipt.DeletedCount, receipt.HeldCount));
        Assert.Equal(collections, receipt.Collections);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(hashes)), receipt.IdsSha256);
        using var key = ReceiptKey.Read(publicKey);
        Assert.Equal(key.Id, receipt.KeyId);
        var signed = System.Text.Json.JsonDocument.Parse((await key.VerifyAsync(receipt.Signature))!).RootElement;
        Assert.Equal(receipt.IdsSha256, signed.GetProperty("ids_sha256").GetString());
        Assert.Equal(receipt.Method, signed.GetProperty("method").GetString());
        Assert.Equal(receipt.DeletedCount, signed.GetProperty("deleted_count").GetInt64());
        Assert.Equal(receipt.Time.Seconds, signed.GetProperty("iat").GetInt64());
        Assert.Equal(collections, signed.GetProperty("collections").EnumerateArray().Select(name => name.GetString()));
        Assert.False(signed.TryGetProperty("exp", out _));
        // ES256 (RFC 7518): the raw signature over the first two parts, checked without the library that made it.
        var parts = receipt.Signature.Split('.');
        using var ecdsa = ECDsa.Create();
        ecdsa.ImportFromPem(await File.ReadAllTextAsync(publicKey));
        var bytes = Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}");
        Assert.True(ecdsa.VerifyData(bytes, System.Buffers.Text.Base64Url.DecodeFromChars(parts[2]), HashAlgorithmName.SHA256));
        Assert.Null(await key.VerifyAsync($"{parts[0]}.{parts[1][..^2]}AA.{parts[2]}"));
    }

    private (string[] Settings, string PublicKey) Key()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllText(_folder.File("private.pem"), key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(_folder.File("public.pem"), key.ExportSubjectPublicKeyInfoPem());
        return ([$"--Privacy:ReceiptKeyFile={_folder.File("private.pem")}"], _folder.File("public.pem"));
    }

    private static (string, string)[] Even(string collection, int count) =>
        [.. Enumerable.Range(0, count).Where(i => i % 2 == 0).Select(i => (collection, $"p{i}"))];

    private static VectorPoint Point(string id, string job) => Items.Point(id, [1, 2], new() { JobId = job });

    private static async Task UpsertAsync(
        VectorStoreService.VectorStoreServiceClient vectors, string collection, int count, string job = "job")
    {
        var request = new UpsertVectorsRequest { Collection = collection };
        request.Points.AddRange(Enumerable.Range(0, count).Select(
            i => Items.Point($"p{i}", [1, i], new() { JobId = job, MediaStoreId = $"m{i % 2}" })));
        await vectors.UpsertVectorsAsync(request).Bound();
    }

    private static async Task<long> CountAsync(VectorStoreService.VectorStoreServiceClient vectors, string collection) =>
        (await vectors.CountVectorsAsync(new() { Collection = collection }).Bound()).Count;
}
