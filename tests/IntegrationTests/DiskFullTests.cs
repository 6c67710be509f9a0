using System.Net;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace Embeddings.IntegrationTests;

/// <summary>A server whose disk is full.</summary>
public sealed class DiskFullTests
{
    private const string Collection = "full";

    [SmallDiskFact]
    public async Task A_full_disk_is_reported_while_reads_and_deletions_continue()
    {
        await using var disk = await SmallDisk.MountAsync(48);
        await using var server = await TestServer.StartOnAsync(disk.Path, "--Store:Embedded:ReserveBytes=4194304");
        using var http = new HttpClient();
        await UpsertAsync(server, "a");
        Assert.Equal(ServingStatus.Serving, await StatusAsync(server, "store/writes"));

        disk.Fill();
        RpcException? error = null;
        for (var i = 0; i < 1000 && error is null; i++)
        {
            error = await Record.ExceptionAsync(() => UpsertAsync(server, $"b{i}")) as RpcException;
        }
        Assert.Equal(StatusCode.Unavailable, error?.StatusCode);
        Assert.Contains("is full", error!.Status.Detail);

        var (status, text) = await ReadyAsync(http, server);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("store: SERVING", text);
        Assert.Contains("store/writes: NOT_SERVING The disk of", text);
        foreach (var name in (string[])["", "store/writes", "embeddings.v1.IngestService"])
        {
            Assert.Equal(ServingStatus.NotServing, await StatusAsync(server, name));
        }
        foreach (var name in (string[])["store", "embeddings.v1.VectorStoreService", "embeddings.v1.EmbeddingService"])
        {
            Assert.Equal(ServingStatus.Serving, await StatusAsync(server, name));
        }

        Assert.Equal("a", (await server.Api.Vectors.GetVectorAsync(new() { Collection = Collection, PointId = "a" }).Bound()).Point.PointId);
        var search = new SearchVectorsRequest { Collection = Collection, Queries = { new SearchQuery { Vector = new() { Values = { Values() } } } } };
        Assert.NotEmpty((await server.Api.Vectors.SearchVectorsAsync(search).Bound()).Results[0].Points);
        Assert.Equal(1, (await server.Api.Vectors.DeleteVectorsAsync(new() { Collection = Collection, PointIds = { "a" } }).Bound()).DeletedCount);

        disk.Free();
        Assert.Equal(HttpStatusCode.OK, (await ReadyAsync(http, server)).Status);
        Assert.Equal(ServingStatus.Serving, await StatusAsync(server, ""));
        await UpsertAsync(server, "c");
    }

    private static float[] Values() => [.. Enumerable.Repeat(1f, 4096)];

    private static async Task UpsertAsync(TestServer server, string id) =>
        await server.Api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point(id, Values()) } }).Bound();

    private static async Task<ServingStatus> StatusAsync(TestServer server, string name) =>
        (await server.Api.Health.CheckAsync(new() { Service = name }).Bound()).Status;

    private static async Task<(HttpStatusCode Status, string Text)> ReadyAsync(HttpClient http, TestServer server)
    {
        using var response = await http.GetAsync($"{server.HttpAddress}/readyz").Bound();
        return (response.StatusCode, await response.Content.ReadAsStringAsync().Bound());
    }
}
