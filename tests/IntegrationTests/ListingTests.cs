using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>ListVectors, ListCollections, and GetVector: pages, tokens, and missing points.</summary>
[Collection(SharedServer.Name)]
public sealed class ListingTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    private VectorStoreService.VectorStoreServiceClient Vectors => server.Api.Vectors;

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(23)]
    [InlineData(1000)]
    public async Task Pages_contain_every_point_once(int size)
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Enumerable.Range(0, 23).Select(i => Items.Point($"p{i}", Items.Vector(i, 4))) } }).Bound();
        var seen = new List<VectorPoint>();
        var request = new ListVectorsRequest { Collection = _collection, PageSize = size, WithVectors = true };
        do
        {
            var page = await Vectors.ListVectorsAsync(request).Bound();
            Assert.InRange(page.Points.Count, 1, size);
            seen.AddRange(page.Points);
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(Enumerable.Range(0, 23).Select(i => $"p{i}").Order(), seen.Select(point => point.PointId).Order());
        Assert.All(seen, point => Assert.Equal(Items.Vector(int.Parse(point.PointId[1..]), 4), point.Vector));
    }

    [Fact]
    public async Task The_default_page_has_100_points_without_vectors()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Enumerable.Range(0, 150).Select(i => Items.Point($"p{i}", [1, i])) } }).Bound();
        var page = await Vectors.ListVectorsAsync(new() { Collection = _collection }).Bound();
        Assert.Equal(100, page.Points.Count);
        Assert.NotEmpty(page.NextPageToken);
        Assert.All(page.Points, point => Assert.Empty(point.Vector));
    }

    [Fact]
    public async Task Invalid_page_tokens_and_sizes_are_rejected()
    {
        var other = ServerFixture.NewCollection();
        foreach (var collection in (string[])[_collection, other])
        {
            await Vectors.UpsertVectorsAsync(new() { Collection = collection, Points = { Items.Point("a", [1]), Items.Point("b", [1]) } }).Bound();
        }
        var token = (await Vectors.ListVectorsAsync(new() { Collection = other, PageSize = 1 }).Bound()).NextPageToken;
        foreach (var bad in (string[])["nonsense", "%%%", token, token[..^1], new string('A', 10_000)])
        {
            await Vectors.ListVectorsAsync(new() { Collection = _collection, PageToken = bad }).FailsAsync(StatusCode.InvalidArgument, "PAGE_TOKEN_INVALID", "page_token");
        }
        await Vectors.ListVectorsAsync(new() { Collection = _collection, PageSize = -1 }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "page_size");
        await Vectors.ListVectorsAsync(new() { Collection = _collection, PageSize = 1001 }).FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "page_size");
        await Vectors.ListCollectionsAsync(new() { PageToken = "%" }).FailsAsync(StatusCode.InvalidArgument, "PAGE_TOKEN_INVALID", "page_token");
        await server.Api.Models.ListModelsAsync(new() { PageToken = "%" }).FailsAsync(StatusCode.InvalidArgument, "PAGE_TOKEN_INVALID", "page_token");
    }

    [Fact]
    public async Task Collections_are_listed_by_name_with_their_models()
    {
        var raw = ServerFixture.NewCollection();
        await Vectors.UpsertVectorsAsync(new() { Collection = raw, Points = { Items.Point("a", [1, 2, 3]), Items.Point("b", [1, 2, 3]) } }).Bound();
        await server.Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1) }, Collection = _collection }).Bound();

        var all = new List<Collection>();
        var request = new ListCollectionsRequest { PageSize = 1 };
        do
        {
            var page = await Vectors.ListCollectionsAsync(request).Bound();
            all.Add(Assert.Single(page.Collections));
            request.PageToken = page.NextPageToken;
        }
        while (request.PageToken.Length > 0);
        Assert.Equal(all.Select(collection => collection.Name).Order(StringComparer.Ordinal), all.Select(collection => collection.Name));

        var model = (await server.Api.Models.GetModelAsync(new() { Name = Items.FaceModel }).Bound()).Model;
        var expected = new Collection { Name = _collection, Dimension = 512, PointCount = 1, Model = Items.FaceModel, ModelFingerprint = model.Fingerprint, Settings = new() };
        Assert.Contains(expected, all);
        Assert.Contains(new Collection { Name = raw, Dimension = 3, PointCount = 2, Settings = new() }, all);
    }

    [Fact]
    public async Task Missing_points_and_collections_are_NOT_FOUND()
    {
        await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "p" }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await Vectors.CountVectorsAsync(new() { Collection = _collection }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await Vectors.ListVectorsAsync(new() { Collection = _collection }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1]) } }).Bound();
        await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "p" }).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
        await Vectors.GetVectorAsync(new() { Collection = _collection }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "point_id");
        await Vectors.GetVectorAsync(new() { PointId = "p" }).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "collection");
    }
}
