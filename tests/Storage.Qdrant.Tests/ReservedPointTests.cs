using Embeddings.QdrantDouble;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Qdrant.Client;
using Qdrant.Client.Grpc;
using CollectionInfo = Embeddings.Storage.CollectionInfo;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Without collection metadata, the model is stored in a reserved point that users do not see.</summary>
public sealed class ReservedPointTests
{
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly ModelStamp Model = new("m", new string('a', 64));

    [Fact]
    public async Task The_reserved_point_is_invisible_and_permanent()
    {
        await using var server = await QdrantServer.StartNewAsync(new() { Old = true });
        await using var store = await QdrantStores.StartAsync(server);
        await store.EnsureCollectionAsync(new("c", 3, Model), None);
        using var client = new QdrantClient(server.Address);
        Assert.Equal(1UL, await client.CountAsync("c"));
        Assert.Single(await client.RetrieveAsync("c", PointIds.Reserved));

        await store.UpsertAsync("c", [VectorStoreContract.Point("p", [1, 0, 0])], None);

        Assert.Equal(1, await store.CountAsync("c", PointFilter.All, None));
        Assert.Equal(new CollectionInfo("c", 3, 1, Model), Assert.Single(await store.ListCollectionsAsync(None)));
        Assert.Equal(["p"], (await store.ListAsync("c", PointFilter.All, 10, "", false, None)).Points.Select(point => point.Id));
        Assert.Equal("p", Assert.Single((await store.SearchAsync("c", [new(new float[] { 1, 0, 0 })], new() { Limit = 10 }, None))[0]).Point.Id);
        Assert.Equal(1, await store.DeleteAsync("c", PointFilter.All, None));
        await using var other = await QdrantStores.StartAsync(server);
        Assert.Equal(Model, (await other.FindCollectionAsync("c", None))!.Model);
    }

    [Fact]
    public async Task With_metadata_there_is_no_reserved_point()
    {
        await using var server = await QdrantServer.StartNewAsync();
        await using var store = await QdrantStores.StartAsync(server);
        await store.EnsureCollectionAsync(new("c", 3, null), None);
        await store.EnsureCollectionAsync(new("c", 3, Model), None);
        using var client = new QdrantClient(server.Address);
        Assert.Equal(0UL, await client.CountAsync("c"));
        Assert.Equal(Model.Fingerprint, (await client.GetCollectionInfoAsync("c")).Config.Metadata["model_fingerprint"].StringValue);
    }

    [Fact]
    public async Task A_collection_of_another_program_is_used_as_it_is()
    {
        await using var server = await QdrantServer.StartNewAsync();
        await using var store = await QdrantStores.StartAsync(server);
        using var client = new QdrantClient(server.Address);
        await client.CreateCollectionAsync("c", new VectorParams { Size = 2, Distance = Distance.Cosine });
        await client.UpsertAsync("c", [
            new() { Id = 7, Vectors = new float[] { 3, 4 }, Payload = { ["job_id"] = "j" } },
            new() { Id = ulong.MaxValue, Vectors = new float[] { 3, 4 } },
        ]);

        Assert.Equal(new CollectionInfo("c", 2, 2, null), await store.FindCollectionAsync("c", None));
        var point = Assert.Single((await store.ListAsync("c", new() { JobId = "j" }, 10, "", true, None)).Points);
        Assert.Equal("7", point.Id);
        var first = await store.ListAsync("c", PointFilter.All, 1, "", false, None);
        var second = await store.ListAsync("c", PointFilter.All, 1, first.NextPageToken, false, None);
        Assert.Equal(["7", $"{ulong.MaxValue}"], first.Points.Concat(second.Points).Select(found => found.Id));
        await store.EnsureCollectionAsync(new("c", 2, Model), None);
        Assert.Equal(2, await store.CountAsync("c", PointFilter.All, None));
        Assert.Equal(Model, (await store.FindCollectionAsync("c", None))!.Model);
    }
}
