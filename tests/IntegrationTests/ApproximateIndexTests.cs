using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Collections with an approximate index.</summary>
[Collection(SharedServer.Name)]
public sealed class ApproximateIndexTests(ServerFixture server)
{
    private const int Dimension = 16;
    private const int Count = 12_000;
    private readonly string _collection = ServerFixture.NewCollection();

    private VectorStoreService.VectorStoreServiceClient Vectors => server.Api.Vectors;

    [Fact]
    public async Task Searches_can_use_it_and_its_recall_is_told()
    {
        await Vectors.CreateCollectionAsync(new()
        {
            Collection = _collection,
            Dimension = Dimension,
            Settings = new() { ApproximateIndex = new() { Links = 12 } },
        }).Bound();
        for (var first = 0; first < Count; first += 2000)
        {
            var points = Enumerable.Range(first, 2000).Select(static i => Items.Point($"p{i}", Items.Vector(i, Dimension)));
            await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { points } }).Bound();
        }

        var collection = await BuiltAsync();
        Assert.Equal((12, 128), (collection.Settings.ApproximateIndex.Links, collection.Settings.ApproximateIndex.BuildCandidates));
        Assert.Equal(200, collection.ApproximateIndexState.SampleSize);
        Assert.InRange(collection.ApproximateIndexState.RecallAt10, 0.985f, 1);

        var (found, all) = (0, 0);
        for (var i = 0; i < 50; i++)
        {
            var exact = await SearchAsync(Count + i, null);
            Assert.Equal(exact, await SearchAsync(Count + i, new() { Exact = true }));
            var approximate = await SearchAsync(Count + i, new() { Exact = false });
            found += exact.Intersect(approximate).Count();
            all += exact.Count;
            Assert.NotEmpty(await SearchAsync(Count + i, new() { Exact = false, HnswEf = 11 }));
        }
        Assert.InRange((double)found / all, 0.9, 1);

        await Vectors.UpdateCollectionAsync(new() { Collection = _collection, RemoveApproximateIndex = true }).Bound();
        collection = (await Vectors.GetCollectionAsync(new() { Collection = _collection }).Bound()).Collection;
        Assert.Null(collection.ApproximateIndexState);
        Assert.Null(collection.Settings.ApproximateIndex);
        Assert.Equal(await SearchAsync(7, null), await SearchAsync(7, new() { Exact = false }));
    }

    [Fact]
    public async Task Invalid_settings_are_refused()
    {
        var request = new CreateCollectionRequest
        {
            Collection = _collection,
            Dimension = Dimension,
            Settings = new() { ApproximateIndex = new() { Links = 65 } },
        };
        await Vectors.CreateCollectionAsync(request).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID");
        request.Settings.ApproximateIndex = new() { BuildCandidates = 15 };
        await Vectors.CreateCollectionAsync(request).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID");
    }

    private async Task<V1.Collection> BuiltAsync()
    {
        for (var i = 0; i < 600; i++)
        {
            var collection = (await Vectors.GetCollectionAsync(new() { Collection = _collection }).Bound()).Collection;
            if (collection.ApproximateIndexState is { HasRecallAt10: true, IndexedCount: Count })
            {
                return collection;
            }
            await Task.Delay(100);
        }
        throw new InvalidOperationException("The index was not built within a minute.");
    }

    private async Task<List<(string Id, float Score)>> SearchAsync(int number, SearchParams? parameters)
    {
        var request = new SearchVectorsRequest
        {
            Collection = _collection,
            Queries = { new SearchQuery { Vector = new() { Values = { Items.Vector(number, Dimension) } } } },
            Params = parameters,
            WithPayload = false,
        };
        return [.. (await Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points.Select(static hit => (hit.Point.PointId, hit.Score))];
    }
}
