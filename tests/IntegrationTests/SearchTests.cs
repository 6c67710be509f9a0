using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>SearchVectors and SearchByMediaStoreId with every kind of query.</summary>
[Collection(SharedServer.Name)]
public sealed class SearchTests(ServerFixture server)
{
    private readonly string _collection = ServerFixture.NewCollection();

    private VectorStoreService.VectorStoreServiceClient Vectors => server.Api.Vectors;

    [Fact]
    public async Task A_vector_query_returns_the_nearest_points_by_cosine_in_order()
    {
        var points = Enumerable.Range(0, 200).Select(i => Items.Point($"p{i}", Items.Vector(i, 24))).ToList();
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { points } }).Bound();
        var query = Items.Vector(1000, 24);
        var expected = points.Select(point => (Id: point.PointId, Score: Cosine(point.Vector, query))).OrderByDescending(hit => hit.Score).Take(25).ToList();

        var request = new SearchVectorsRequest { Collection = _collection, Queries = { Query(query) }, Limit = 25, WithVectors = true };
        var result = Assert.Single((await Vectors.SearchVectorsAsync(request).Bound()).Results);
        Assert.Equal(expected.Select(hit => hit.Id), result.Points.Select(hit => hit.Point.PointId));
        Assert.All(expected.Zip(result.Points), pair => Assert.InRange(pair.Second.Score - pair.First.Score, -1e-5, 1e-5));
        Assert.All(result.Points, hit => Assert.Equal(24, hit.Point.Vector.Count));
        Assert.True(result.Timings.StoreUs > 0);

        request.ScoreThreshold = (float)((expected[4].Score + expected[5].Score) / 2);
        Assert.Equal(5, (await Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points.Count);
    }

    [Fact]
    public async Task Image_and_face_queries_find_the_same_image()
    {
        var faces = ServerFixture.NewCollection();
        await server.Api.Ingest.StreamIngest().ExchangeAsync(Enumerable.Range(0, 20).Select(i => Items.IngestImage(_collection, $"i{i}", TestImages.Photo(i))));
        await server.Api.Ingest.StreamIngest().ExchangeAsync(Enumerable.Range(0, 20).Select(i => Items.IngestFace(faces, "f", i, TestImages.Crop(i))));

        var images = new SearchVectorsRequest { Collection = _collection, Limit = 3 };
        images.Queries.AddRange(Enumerable.Range(0, 20).Select(i => new SearchQuery { Image = TestImages.Photo(i) }));
        var crops = new SearchVectorsRequest { Collection = faces, Limit = 3 };
        crops.Queries.AddRange(Enumerable.Range(0, 20).Select(i => new SearchQuery { Face = TestImages.Crop(i), Model = Items.FaceModel }));

        var byImage = (await Vectors.SearchVectorsAsync(images).Bound()).Results;
        var byFace = (await Vectors.SearchVectorsAsync(crops).Bound()).Results;
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal($"i{i}", byImage[i].Points[0].Point.PointId);
            Assert.Equal($"f-{i}", byFace[i].Points[0].Point.PointId);
            Assert.InRange(byFace[i].Points[0].Score, 0.9999, 1.0001);
            Assert.True(byImage[i].Timings.BatchSize > 0 && byImage[i].Timings.InferenceUs > 0);
        }
    }

    [Fact]
    public async Task A_query_by_point_id_excludes_that_point()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Enumerable.Range(0, 10).Select(i => Items.Point($"p{i}", [1, i])) } }).Bound();
        var request = new SearchVectorsRequest { Collection = _collection, Queries = { new SearchQuery { PointId = "p3" } }, Limit = 100 };
        var points = (await Vectors.SearchVectorsAsync(request).Bound()).Results[0].Points;
        Assert.Equal(9, points.Count);
        Assert.DoesNotContain(points, hit => hit.Point.PointId == "p3");
        request.Queries[0].PointId = "p99";
        await Vectors.SearchVectorsAsync(request).FailsAsync(StatusCode.NotFound, "POINT_NOT_FOUND");
    }

    [Fact]
    public async Task Results_have_the_order_of_their_queries()
    {
        await server.Api.Ingest.StreamIngest().ExchangeAsync(Enumerable.Range(0, 8).Select(i => Items.IngestFace(_collection, "f", i, TestImages.Crop(i))));
        var stored = (await Vectors.GetVectorAsync(new() { Collection = _collection, PointId = "f-5" }).Bound()).Point.Vector;
        var request = new SearchVectorsRequest
        {
            Collection = _collection,
            Queries = { new SearchQuery { Face = TestImages.Crop(2) }, Query(stored), new SearchQuery { PointId = "f-7" }, new SearchQuery { Face = TestImages.Crop(0) } },
            WithPayload = false,
        };
        var results = (await Vectors.SearchVectorsAsync(request).Bound()).Results;
        Assert.Equal(["f-2", "f-5", "f-0"], ((int[])[0, 1, 3]).Select(i => results[i].Points[0].Point.PointId));
        Assert.DoesNotContain(results[2].Points, hit => hit.Point.PointId == "f-7");
        Assert.All(results.SelectMany(result => result.Points), hit => Assert.Null(hit.Point.Payload));
    }

    [Fact]
    public async Task SearchByMediaStoreId_searches_only_the_faces_of_one_media_item()
    {
        await server.Api.Ingest.StreamIngest().ExchangeAsync(
            Enumerable.Range(0, 20).Select(i => Items.IngestFace(_collection, $"j{i}", 0, TestImages.Crop(i), media: $"media{i % 4}")));
        var request = new SearchByMediaStoreIdRequest { Collection = _collection, MediaStoreId = "media1", Query = new() { Face = TestImages.Crop(0) }, Limit = 100 };
        var points = (await Vectors.SearchByMediaStoreIdAsync(request).Bound()).Result.Points;
        Assert.Equal(["j1-0", "j13-0", "j17-0", "j5-0", "j9-0"], points.Select(hit => hit.Point.PointId).Order(StringComparer.Ordinal));
        Assert.All(points, hit => Assert.Equal("media1", hit.Point.Payload.MediaStoreId));

        request.Query.Face = TestImages.Crop(13);
        Assert.Equal("j13-0", (await Vectors.SearchByMediaStoreIdAsync(request).Bound()).Result.Points[0].Point.PointId);
        request.MediaStoreId = "";
        await Vectors.SearchByMediaStoreIdAsync(request).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "media_store_id");
    }

    [Fact]
    public async Task Invalid_searches_are_rejected_with_reason_and_field()
    {
        await Vectors.UpsertVectorsAsync(new() { Collection = _collection, Points = { Items.Point("a", [1, 2]) } }).Bound();
        await Fails(StatusCode.InvalidArgument, "FIELD_REQUIRED", "queries");
        await Fails(StatusCode.InvalidArgument, "FIELD_REQUIRED", "queries[0].query", new SearchQuery());
        await Fails(StatusCode.InvalidArgument, "DIMENSION_MISMATCH", "queries[1].vector.values", Query([1, 2]), Query([1, 2, 3]));
        await Fails(StatusCode.InvalidArgument, "VECTOR_ZERO", "queries[0].vector.values", Query([0, 0]));
        await Fails(StatusCode.InvalidArgument, "VECTOR_NOT_FINITE", "queries[0].vector.values", Query([0, float.NaN]));
        await Fails(StatusCode.InvalidArgument, "IMAGE_EMPTY", "queries[0].image.encoded", new SearchQuery { Image = TestImages.Encoded([]) });
        await Fails(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH", null, new SearchQuery { Image = TestImages.Photo(1) });
        await Fails(StatusCode.InvalidArgument, "FIELD_TOO_LONG", "queries", [.. Enumerable.Repeat(Query([1, 2]), 65)]);
        await Vectors.SearchVectorsAsync(new() { Collection = _collection, Queries = { Query([1, 2]) }, Limit = 1001 })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "limit");
        await Vectors.SearchVectorsAsync(new() { Collection = _collection, Queries = { Query([1, 2]) }, ScoreThreshold = float.NaN })
            .FailsAsync(StatusCode.InvalidArgument, "FIELD_INVALID", "score_threshold");
        await Vectors.SearchVectorsAsync(new() { Collection = "no-such", Queries = { Query([1, 2]) } }).FailsAsync(StatusCode.NotFound, "COLLECTION_NOT_FOUND");

        Task Fails(StatusCode code, string reason, string? field, params SearchQuery[] queries) =>
            Vectors.SearchVectorsAsync(new() { Collection = _collection, Queries = { queries } }).FailsAsync(code, reason, field);
    }

    private static SearchQuery Query(IEnumerable<float> values) => new() { Vector = new() { Values = { values } } };

    private static double Cosine(IList<float> left, IList<float> right) =>
        left.Zip(right, (a, b) => (double)a * b).Sum() / Math.Sqrt(left.Sum(a => (double)a * a) * right.Sum(b => (double)b * b));
}
