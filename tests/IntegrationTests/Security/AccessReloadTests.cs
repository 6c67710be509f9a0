using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Server.Security;
using Embeddings.V1;
using Grpc.Core;
using Microsoft.Extensions.Time.Testing;

namespace Embeddings.IntegrationTests.Security;

/// <summary>Changes of the keys file and of the issuer's keys while the server runs.</summary>
public sealed class AccessReloadTests
{
    [Fact]
    public async Task A_revoked_key_ends_its_open_streams_and_no_others()
    {
        await using var server = await new AccessServer().With("kept", "write").With("revoked", "write").StartAsync();
        using var kept = server.As("kept").Vectors.StreamUpsertVectors();
        using var revoked = server.As("revoked").Vectors.StreamUpsertVectors();
        foreach (var stream in (AsyncDuplexStreamingCall<StreamUpsertVectorsRequest, StreamUpsertVectorsResponse>[])[kept, revoked])
        {
            await stream.RequestStream.WriteAsync(Items.Upsert("c", "before", [1, 2])).Bound();
            Assert.Null(Assert.Single(await stream.ResponseStream.TakeAsync(1)).Error);
        }
        server.Save(without: "revoked");
        await ReloadedAsync(server, 1);

        await revoked.RequestStream.WriteAsync(Items.Upsert("c", "after", [1, 2])).Bound();
        var error = await Errors.FailsAsync(() => revoked.ResponseStream.DrainAsync(), StatusCode.Unauthenticated, "KEY_INVALID");
        Assert.Contains("'revoked' was revoked", error.Status.Detail, StringComparison.Ordinal);
        await kept.RequestStream.WriteAsync(Items.Upsert("c", "later", [1, 2])).Bound();
        Assert.Null(Assert.Single(await kept.ResponseStream.TakeAsync(1)).Error);
        var client = server.As("revoked").Vectors;
        await client.ListCollectionsAsync(new()).FailsAsync(StatusCode.Unauthenticated, "KEY_INVALID");
        Assert.Equal(2, (await server.As("kept").Vectors.CountVectorsAsync(new() { Collection = "c" }).Bound()).Count);
    }

    [Fact]
    public async Task Changed_rights_apply_to_open_streams()
    {
        await using var server = await new AccessServer().With("caller", "write").StartAsync();
        using var stream = server.As("caller").Vectors.StreamUpsertVectors();
        await stream.RequestStream.WriteAsync(Items.Upsert("a", "1", [1, 2])).Bound();
        Assert.Null(Assert.Single(await stream.ResponseStream.TakeAsync(1)).Error);

        server.With("caller", "write", ["b"]).Save();
        await ReloadedAsync(server, 1);
        await stream.RequestStream.WriteAsync(Items.Upsert("a", "2", [1, 2])).Bound();
        Assert.Equal("COLLECTION_DENIED", Assert.Single(await stream.ResponseStream.TakeAsync(1)).Error.Reason);

        server.With("caller", "read", ["b"]).Save();
        await ReloadedAsync(server, 2);
        await stream.RequestStream.WriteAsync(Items.Upsert("b", "3", [1, 2])).Bound();
        await Errors.FailsAsync(() => stream.ResponseStream.DrainAsync(), StatusCode.PermissionDenied, "ACCESS_DENIED");
    }

    [Fact]
    public async Task A_key_ends_with_its_time_in_open_streams_too()
    {
        var clock = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        var expires = clock.GetUtcNow().AddHours(1).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'");
        await using var server = new AccessServer { Clock = clock };
        await server.With("caller", "write", expires: expires).StartAsync();
        using var stream = server.As("caller").Vectors.StreamUpsertVectors();
        await stream.RequestStream.WriteAsync(Items.Upsert("a", "1", [1, 2])).Bound();
        Assert.Null(Assert.Single(await stream.ResponseStream.TakeAsync(1)).Error);
        clock.Advance(TimeSpan.FromHours(1));
        await stream.RequestStream.WriteAsync(Items.Upsert("a", "2", [1, 2])).Bound();
        var error = await Errors.FailsAsync(() => stream.ResponseStream.DrainAsync(), StatusCode.Unauthenticated, "KEY_EXPIRED");
        Assert.Contains(expires, error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broken_file_leaves_the_last_good_keys_in_use_and_warns_once()
    {
        await using var server = await new AccessServer().With("caller", "read").StartAsync();
        server.Break();
        await Bounds.UntilAsync(() => Warnings(server) > 0);
        await server.As("caller").Vectors.ListCollectionsAsync(new()).Bound();
        Assert.Contains(server.Log.All, line => line.Event == "SecurityFileRefused" && line.Text.Contains("keys.json is not valid JSON: line 1", StringComparison.Ordinal));
        server.With("new", "read").Save();
        await ReloadedAsync(server, 1);
        await server.As("new").Vectors.ListCollectionsAsync(new()).Bound();
        Assert.Equal(1, Warnings(server));
    }

    [Fact]
    public async Task The_keys_of_the_issuer_are_replaced_without_a_restart()
    {
        await using var server = await new AccessServer().With("unused", "read").StartAsync();
        using var next = new Tokens();
        var client = new VectorStoreService.VectorStoreServiceClient(server.Connect());
        var (before, after) = (AccessServer.Bearer(server.Tokens.Issue("read", ["*"])), AccessServer.Bearer(next.Issue("read", ["*"])));
        await client.ListCollectionsAsync(new(), before).Bound();
        await client.ListCollectionsAsync(new(), after).FailsAsync(StatusCode.Unauthenticated, "TOKEN_INVALID");
        server.SaveJwks(next.Jwks);
        await ReloadedAsync(server, 1);
        await client.ListCollectionsAsync(new(), after).Bound();
        await client.ListCollectionsAsync(new(), before).FailsAsync(StatusCode.Unauthenticated, "TOKEN_INVALID");
    }

    private static int Warnings(AccessServer server) => server.Log.All.Count(line => line.Event == "SecurityFileRefused");

    private static Task ReloadedAsync(AccessServer server, int times) =>
        Bounds.UntilAsync(() => server.Log.All.Count(line => line.Event == "SecurityFileLoaded") >= times);
}
