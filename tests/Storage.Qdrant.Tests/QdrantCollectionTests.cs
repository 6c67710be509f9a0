using Embeddings.Primitives;
using Embeddings.Testing;
using Qdrant.Client;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed class QdrantCollectionTests : QdrantTestBase
{
    private static readonly ModelStamp One = new("one", new string('1', 64));
    private static readonly ModelStamp Two = new("two", new string('2', 64));

    [Fact]
    public async Task Collections_are_created_with_the_options()
    {
        var options = new QdrantCollectionOptions
        {
            Shards = 6,
            Replicas = 3,
            WriteConsistency = 2,
            OnDiskVectors = true,
            OnDiskPayload = false,
            HnswM = 32,
            HnswEfConstruct = 200,
            QuantizeInt8 = true,
        };
        await using var store = await QdrantStores.StartAsync(Server.Address, collections: options);
        await store.EnsureCollectionAsync(new(Name, 512, One), None);

        using var client = new QdrantClient(Server.Address);
        var info = await client.GetCollectionInfoAsync(Name);
        var created = info.Config.Params;
        var vectors = created.VectorsConfig.Params;
        Assert.Equal((512UL, Distance.Cosine, Memory.Cold), (vectors.Size, vectors.Distance, vectors.Memory));
        Assert.Equal(
            (6U, 3U, 2U, Memory.Cached),
            (created.ShardNumber, created.ReplicationFactor, created.WriteConsistencyFactor, created.Payload.Memory));
        Assert.Equal((32UL, 200UL), (info.Config.HnswConfig.M, info.Config.HnswConfig.EfConstruct));
        var quantization = info.Config.QuantizationConfig.Scalar;
        Assert.Equal((QuantizationType.Int8, Memory.Pinned), (quantization.Type, quantization.Memory));
        Assert.Equal(
            [
                ("confidence", PayloadSchemaType.Float), ("face_index", PayloadSchemaType.Integer),
                ("job_id", PayloadSchemaType.Keyword), ("media_store_id", PayloadSchemaType.Keyword),
            ],
            info.PayloadSchema.Select(field => (field.Key, field.Value.DataType)).Order());
    }

    [Fact]
    public async Task Indexes_are_created_before_the_first_point()
    {
        var calls = new List<string>();
        Troubles.Observer = (method, _) =>
        {
            lock (calls)
            {
                calls.Add(method[(method.LastIndexOf('/') + 1)..]);
            }
        };
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p")], None);
        Assert.Equal(
            ["Create", "CreateFieldIndex", "CreateFieldIndex", "CreateFieldIndex", "CreateFieldIndex", "Upsert"],
            calls.Where(call => call is not ("List" or "ListAliases" or "Get")));
    }

    [Fact]
    public async Task Cached_collections_need_no_call()
    {
        await using var store = await FilledStoreAsync();
        var before = Troubles.Calls("Collections/Get");
        for (var i = 0; i < 100; i++)
        {
            await store.EnsureCollectionAsync(new(Name, 2, null), None);
            Assert.NotNull(await store.FindCollectionAsync(Name, None));
        }
        Assert.Equal(before, Troubles.Calls("Collections/Get"));
    }

    [Fact]
    public async Task Two_servers_with_two_models_cannot_share_a_collection()
    {
        await using var first = await StoreAsync();
        await using var second = await StoreAsync();
        await first.EnsureCollectionAsync(new(Name, 512, One), None);
        var fault = await FaultAsync(
            FaultKind.FailedPrecondition, Reasons.CollectionModelMismatch, () => second.EnsureCollectionAsync(new(Name, 512, Two), None).AsTask());
        Assert.Contains("'one'", fault.Message, StringComparison.Ordinal);
        Assert.Contains("'two'", fault.Message, StringComparison.Ordinal);
        fault = await FaultAsync(
            FaultKind.FailedPrecondition, Reasons.DimensionMismatch, () => second.EnsureCollectionAsync(new(Name, 128, null), None).AsTask());
        Assert.Contains("512", fault.Message, StringComparison.Ordinal);
        Assert.Contains("128", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_incompatible_collection_is_rejected_with_the_reason()
    {
        using var client = new QdrantClient(Server.Address);
        await client.CreateCollectionAsync("dot", new VectorParams { Size = 2, Distance = Distance.Dot });
        await client.CreateCollectionAsync("named", new VectorParamsMap { Map = { ["image"] = new() { Size = 2, Distance = Distance.Cosine } } });
        await using var store = await StoreAsync();
        foreach (var (name, why) in new[] { ("dot", "Dot"), ("named", "named vectors") })
        {
            var fault = await FaultAsync(
                FaultKind.FailedPrecondition, Reasons.CollectionModelMismatch, () => store.EnsureCollectionAsync(new(name, 2, null), None).AsTask());
            Assert.Contains(why, fault.Message, StringComparison.Ordinal);
        }
        Assert.Empty(await store.ListCollectionsAsync(None));
    }

    [Fact]
    public async Task A_collection_dropped_by_another_program_is_detected_and_can_be_created_again()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Point("p")], None);
        using var client = new QdrantClient(Server.Address);
        await client.DeleteCollectionAsync(Name);
        await FaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.UpsertAsync(Name, [Point("q")], None));
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await store.UpsertAsync(Name, [Point("q")], None);
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_collection_created_again_with_another_dimension_is_detected()
    {
        await using var store = await FilledStoreAsync();
        using var client = new QdrantClient(Server.Address);
        await client.DeleteCollectionAsync(Name);
        await client.CreateCollectionAsync(Name, new VectorParams { Size = 3, Distance = Distance.Cosine });
        var fault = await FaultAsync(FaultKind.InvalidArgument, Reasons.DimensionMismatch, () => store.UpsertAsync(Name, [Point("q")], None));
        Assert.Contains("expected dim: 3, got 2", fault.Message, StringComparison.Ordinal);
        Assert.Equal(3, (await store.FindCollectionAsync(Name, None))!.Dimension);
    }
}
