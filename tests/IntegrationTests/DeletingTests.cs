using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>DeleteVectors and DeleteByJobId: the deleted points, the remaining points, and the counts.</summary>
[Collection(SharedServer.Name)]
public sealed class DeletingTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    private VectorStoreService.VectorStoreServiceClient Vectors => server.Api.Vectors;

    [Fact]
    public async Task Unknown_ids_are_ignored()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Enumerable.Range(0, 10).Select(i => Items.Point($"p{i}", [1, i])) } }).Bound();
        var request = new DeleteVectorsRequest { Collection = _collection, PointIds = { "p1", "p2", "unknown", "p2" } };
        Assert.Equal(2, (await Vectors.DeleteVectorsAsync(request).Bound()).DeletedCount);
        Assert.Equal(0, (await Vectors.DeleteVectorsAsync(request).Bound()).DeletedCount);
        Assert.Equal(8, (await Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
        await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "p1" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
    }

    [Fact]
    public async Task A_deletion_requires_either_ids_or_a_filter()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1]) } }).Bound();
        await Vectors.DeleteVectorsAsync(new() { Collection = _collection }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED");
        await Vectors.DeleteVectorsAsync(new() { Collection = _collection, PointIds = { "a" }, Filter = new() { JobId = "j" } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED");
        await Vectors.DeleteVectorsAsync(new() { Collection = _collection, PointIds = { "a", "" } })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "point_ids[1]");
        await Vectors.DeleteVectorsAsync(new() { Collection = "no-such", PointIds = { "a" } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        Assert.Equal(1, (await Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count);
    }

    [Fact]
    public async Task A_job_is_deleted_from_one_collection_or_from_all()
    {
        var other = ServerFixture.NewCollection();
        var job = $"job-{Guid.NewGuid():N}";
        foreach (var collection in (string[])[_collection, other])
        {
            await server.Api.Ingest.StreamIngest().ExchangeAsync(
                Enumerable.Range(0, 6).Select(i => Items.IngestFace(collection, i < 4 ? job : $"{job}-1", i, TestImages.Crop(i))));
        }
        Assert.Equal(4, (await Vectors.DeleteByJobIdAsync(new() { JobId = job, Collection = _collection }).Bound()).DeletedCount);
        Assert.Equal((2L, 6L), await CountsAsync());
        Assert.Equal(4, (await Vectors.DeleteByJobIdAsync(new() { JobId = job }).Bound()).DeletedCount);
        Assert.Equal((2L, 2L), await CountsAsync());
        Assert.Equal(0, (await Vectors.DeleteByJobIdAsync(new() { JobId = job }).Bound()).DeletedCount);
        await Vectors.DeleteByJobIdAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "job_id");
        await Vectors.DeleteByJobIdAsync(new() { JobId = job, Collection = "no-such" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");

        async Task<(long, long)> CountsAsync() => (
            (await Vectors.CountVectorsAsync(new() { Collection = _collection }).Bound()).Count,
            (await Vectors.CountVectorsAsync(new() { Collection = other }).Bound()).Count);
    }

    [Fact]
    public async Task Deleted_points_are_not_in_search_results()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Enumerable.Range(0, 50).Select(i => Items.Point($"p{i}", Items.Vector(i, 16))) } }).Bound();
        await Vectors.DeleteVectorsAsync(new() { Collection = _collection, PointIds = { Enumerable.Range(0, 25).Select(i => $"p{i}") } }).Bound();
        var request = new SearchVectorsRequest { Collection = _collection, Limit = 100 };
        request.Queries.AddRange(Enumerable.Range(0, 50).Select(i => new SearchQuery { Vector = new() { Values = { Items.Vector(i, 16) } } }));
        var results = (await Vectors.SearchVectorsAsync(request).Bound()).Results;
        Assert.All(results, result => Assert.Equal(Enumerable.Range(25, 25).Select(i => $"p{i}").Order(), result.Points.Select(hit => hit.Point.PointId).Order()));
        Assert.All(Enumerable.Range(25, 25), i => Assert.Equal($"p{i}", results[i].Points[0].Point.PointId));
    }
}
