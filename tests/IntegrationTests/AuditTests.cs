using System.Text.Json;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Primitives.Auditing;
using Embeddings.Server.Security;
using Embeddings.V1;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.IntegrationTests;

/// <summary>The audit log of a server.</summary>
public sealed class AuditTests : IDisposable
{
    private const string Collection = "c";
    private const string Service = "/embeddings.v1.VectorStoreService";

    private readonly TempFolder _folder = new();

    private string Log => _folder.File("audit/audit.jsonl");

    private IReadOnlyList<string> Files => Directory.GetFiles(Path.GetDirectoryName(Log)!, "*.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Each_unary_call_is_one_line_that_names_no_id()
    {
        var callers = new NamedCallers(NamedCallers.Limited("ada", CallerLimits.None));
        await using (var server = await TestServer.StartWithAsync(callers.Add, $"--Audit:File={Log}"))
        {
            var vectors = server.Api.Vectors;
            var ada = NamedCallers.As("ada");
            await vectors.UpsertVectorsAsync(
                new() { Collection = Collection, Points = { Items.Point("secret-1", [1]), Items.Point("secret-2", [2]) } }, ada).Bound();
            await vectors.DeleteVectorsAsync(new() { Collection = Collection, PointIds = { "secret-2" } }, ada).Bound();
            await vectors.DeleteByJobIdAsync(new() { JobId = "secret-job" }).Bound();
            await vectors.GetVectorAsync(new() { Collection = Collection, PointId = "secret-3" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
            await vectors.GetVectorAsync(new() { Collection = "no collection", PointId = "secret-3" })
                .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID");
            await server.Api.Ingest.IngestFaceAsync(new() { Item = Items.IngestFace("", "secret-job", 0, TestImages.Crop(1)).Face }).Bound();
            await server.Api.Health.CheckAsync(new()).ResponseAsync.Bound();
            var (status, _) = await RawCall.PostAsync(server.Address, "embeddings.v1.VectorStoreService/GetVector", RawCall.Frame([0x07]));
            Assert.Equal($"{(int)StatusCode.InvalidArgument}", status);
            await RawCall.PostAsync(server.Address, "secret.Service/secret-4", RawCall.Frame([]));
        }
        Assert.Equal(
            [
                $"ada {Service}/UpsertVectors c 2 OK ",
                $"ada {Service}/DeleteVectors c 1 OK ",
                $"anonymous {Service}/DeleteByJobId * 1 OK ",
                $"anonymous {Service}/GetVector c 1 NOT_FOUND POINT_NOT_FOUND",
                $"anonymous {Service}/GetVector (invalid) 1 INVALID_ARGUMENT FIELD_INVALID",
                "anonymous /embeddings.v1.IngestService/IngestFace face_embeddings 1 OK ",
                $"anonymous {Service}/GetVector  0 INVALID_ARGUMENT MESSAGE_MALFORMED",
                "anonymous (unknown)  0 UNIMPLEMENTED ",
            ],
            Lines("call").Select(Summary));
        var calls = Lines("call").ToList();
        Assert.Equal(AuditDigest.Of(["secret-1", "secret-2"]), calls[0].GetProperty("ids_sha256").GetString());
        Assert.All(calls, line => Assert.Matches(@"^127\.0\.0\.1:\d+$", line.GetProperty("peer").GetString()));
        Assert.All(calls, line => Assert.True(line.GetProperty("ms").GetDouble() >= 0));
        Assert.Equal(calls.Count, calls.Select(line => line.GetProperty("call").GetString()).Distinct().Count());
        Assert.DoesNotContain("secret", File.ReadAllText(Log), StringComparison.Ordinal);
        Verify();
    }

    [Fact]
    public async Task A_stream_has_lines_at_its_start_and_end_and_for_every_few_items()
    {
        await using (var server = await TestServer.StartAsync($"--Audit:File={Log}", "--Audit:StreamItems=10"))
        {
            var upserts = Enumerable.Range(0, 25).Select(i => Items.Upsert(Collection, $"p{i}", i == 3 ? [0] : [1]));
            var answers = await server.Api.Vectors.StreamUpsertVectors().ExchangeAsync(upserts);
            Assert.Equal(25, answers.Count);
            await server.Api.Persons.ClusterFaces(new() { Collection = "missing" }).ResponseStream.DrainAsync()
                .ContinueWith(static _ => { }, TaskScheduler.Default);
        }
        var lines = Lines().Where(line => line.TryGetProperty("method", out var method) && method.GetString() == $"{Service}/StreamUpsertVectors").ToList();
        Assert.Equal(["stream_start", "stream_items", "stream_items", "stream_end"], lines.Select(line => line.GetProperty("event").GetString()));
        Assert.Equal([10, 10, 25], lines[1..].Select(line => line.GetProperty("items").GetInt32()));
        Assert.Equal([10, 10, 25], lines[1..].Select(line => line.GetProperty("ids").GetInt32()));
        Assert.Equal(AuditDigest.Of(Enumerable.Range(10, 10).Select(i => $"p{i}")), lines[2].GetProperty("ids_sha256").GetString());
        Assert.Equal(AuditDigest.Of(Enumerable.Range(0, 25).Select(i => $"p{i}")), lines[3].GetProperty("ids_sha256").GetString());
        Assert.Equal(1, lines[3].GetProperty("failed").GetInt32());
        Assert.Equal("OK", lines[3].GetProperty("status").GetString());
        Assert.Single(lines.Select(line => line.GetProperty("call").GetString()).Distinct());

        var clustering = Lines("stream_end").Last();
        Assert.Equal(("NOT_FOUND", "COLLECTION_NOT_FOUND"), (clustering.GetProperty("status").GetString(), clustering.GetProperty("reason").GetString()));
        Verify();
    }

    [Fact]
    public async Task Calls_that_are_refused_are_lines_even_health_checks()
    {
        await using (var server = await TestServer.StartWithAsync(
            services => services.Configure<GrpcServiceOptions>(grpc => grpc.Interceptors.Add<Refusal>()), $"--Audit:File={Log}"))
        {
            await Assert.ThrowsAsync<RpcException>(() => server.Api.Vectors.CountVectorsAsync(new() { Collection = Collection }).Bound());
            await Assert.ThrowsAsync<RpcException>(() => server.Api.Health.CheckAsync(new()).ResponseAsync.Bound());
        }
        Assert.Equal(
            [$"anonymous {Service}/CountVectors c 0 UNAUTHENTICATED ", "anonymous /grpc.health.v1.Health/Check  0 UNAUTHENTICATED "],
            Lines("call").Select(Summary));
    }

    [Fact]
    public async Task Acknowledged_writes_are_in_the_log_of_a_server_that_was_killed()
    {
        var ids = new List<string>();
        for (var round = 0; round < 3; round++)
        {
            var (process, api) = await ServerProcess.StartAsync(
                _folder.File("store"), $"--Audit:File={Log}", "--Audit:MaxFileBytes=65536");
            using (process)
            using (api)
            {
                var begin = round * 1000;
                var enough = new Milestone(100);
                var calls = Enumerable.Range(0, 4).Select(worker => Task.Run(async () =>
                {
                    for (var i = 0; ; i++)
                    {
                        var id = $"p-{begin}-{worker}-{i}";
                        try
                        {
                            await api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point(id, [1]) } }).Bound();
                        }
                        catch (RpcException)
                        {
                            return;
                        }
                        lock (ids)
                        {
                            ids.Add(id);
                        }
                        enough.Hit();
                    }
                })).ToList();
                await enough.Reached;
                await process.KillAsync();
                await Task.WhenAll(calls).Bound();
            }
        }
        Verify();
        var digests = Lines("call").Select(line => line.GetProperty("ids_sha256").GetString()!).ToHashSet();
        Assert.True(ids.Count >= 300);
        Assert.All(ids, id => Assert.Contains(AuditDigest.Of([id]), digests));
    }

    [SmallDiskFact]
    public async Task On_a_full_disk_changes_are_refused_until_there_is_space()
    {
        await using var disk = await SmallDisk.MountAsync(2);
        var log = Path.Combine(disk.Path, "audit.jsonl");
        await using var server = await TestServer.StartAsync($"--Audit:File={log}");
        var vectors = server.Api.Vectors;
        await UpsertAsync("a").Bound();
        disk.Fill();
        await Bounds.UntilAsync(() => !TryUpsert());
        await UpsertAsync("b").FailsAsync(StatusCode.Unavailable, "AUDIT_UNAVAILABLE");
        // Reads are served.
        Assert.True((await vectors.CountVectorsAsync(new() { Collection = Collection }).Bound()).Count > 0);
        disk.Free();
        await UpsertAsync("c").Bound();
        await server.StopAsync();
        var report = AuditVerifier.Verify([log], null, null, default);
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
        Assert.Contains("could not write", report.Notes.First().What);

        AsyncUnaryCall<UpsertVectorsResponse> UpsertAsync(string id) =>
            vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point(id, [1]) } });

        bool TryUpsert()
        {
            try
            {
                vectors.UpsertVectors(new() { Collection = Collection, Points = { Items.Point("x", [1]) } });
                return true;
            }
            catch (RpcException)
            {
                return false;
            }
        }
    }

    [SmallDiskFact]
    public async Task On_a_full_disk_changes_are_served_if_configured()
    {
        await using var disk = await SmallDisk.MountAsync(2);
        var log = Path.Combine(disk.Path, "audit.jsonl");
        await using var server = await TestServer.StartAsync($"--Audit:File={log}", "--Audit:OnFailure=Continue");
        disk.Fill();
        for (var i = 0; i < 100; i++)
        {
            await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point($"{i}", [1]) } }).Bound();
        }
        disk.Free();
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point("c", [1]) } }).Bound();
        await server.StopAsync();
        var report = AuditVerifier.Verify([log], null, null, default);
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
        Assert.Contains("could not write", report.Notes.First().What);
    }

    private static string Summary(JsonElement line)
    {
        var collections = line.TryGetProperty("collections", out var names) ? string.Join(',', names.EnumerateArray()) : "";
        return $"{Text("caller")} {Text("method")} {collections} {line.GetProperty("ids")} {Text("status")} {Text("reason")}";

        string Text(string name) => line.TryGetProperty(name, out var text) ? text.GetString()! : "";
    }

    private void Verify()
    {
        var report = AuditVerifier.Verify(Files, null, null, default);
        Assert.True(report.IsIntact, string.Join("\n", report.Problems));
    }

    private IEnumerable<JsonElement> Lines(string? kind = null) => Files
        .OrderBy(file => file == Log)
        .ThenBy(file => file, StringComparer.Ordinal)
        .SelectMany(File.ReadAllLines)
        .Select(line => JsonDocument.Parse(line).RootElement)
        .Where(line => kind is null || line.GetProperty("event").GetString() == kind);

    private sealed class Refusal : Interceptor
    {
        public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
            throw new RpcException(new(StatusCode.Unauthenticated, "who?"));
    }
}
