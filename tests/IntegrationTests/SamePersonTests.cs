using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;

namespace Embeddings.IntegrationTests;

/// <summary>Whether a search result shows the same person: by the threshold of the model that fills the collection.</summary>
public sealed class SamePersonTests : IAsyncLifetime
{
    private const double Threshold = 0.9;

    private readonly ModelFolder _models = new ModelFolder()
        .Add(Items.FaceModel, "measured", 100).Measure("measured", Threshold)
        .Add(Items.FaceModel, "unmeasured", 101)
        .Add(Items.ImageModel, "images", 100).Measure("images", Threshold);

    private TestServer? _server;

    private Api Api => _server!.Api;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(_models.Argument, "--Models:DefaultFace=measured");

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _models.Dispose();
    }

    [Fact]
    public async Task A_score_is_compared_with_the_threshold_of_the_face_model()
    {
        await IngestAsync("measured");
        var request = new SearchVectorsRequest
        {
            Collection = "measured",
            Queries = { new SearchQuery { Face = TestImages.Crop(1) }, new SearchQuery { PointId = "j2-0" } },
            Limit = 30,
        };
        var results = (await Api.Vectors.SearchVectorsAsync(request).Bound()).Results;
        var points = results.SelectMany(result => result.Points).ToList();
        Assert.Equal(20 + 19, points.Count);
        Assert.All(points, point => Assert.Equal((true, point.Score >= (float)Threshold), (point.HasSamePerson, point.SamePerson)));
        Assert.True(results[0].Points[0].SamePerson);
        Assert.Equal("j1-0", results[0].Points[0].Point.PointId);
        Assert.Contains(points, point => !point.SamePerson);

        var media = new SearchByMediaStoreIdRequest { Collection = "measured", MediaStoreId = "m", Query = new() { Face = TestImages.Crop(3) } };
        Assert.All(
            (await Api.Vectors.SearchByMediaStoreIdAsync(media).Bound()).Result.Points,
            point => Assert.Equal((true, point.Score >= (float)Threshold), (point.HasSamePerson, point.SamePerson)));
    }

    [Fact]
    public async Task Nothing_is_said_if_the_threshold_is_not_known()
    {
        await IngestAsync("unmeasured");
        await AssertNotSaidAsync("unmeasured", new SearchQuery { Face = TestImages.Crop(1), Model = "unmeasured" });

        // Vectors of another origin.
        await Api.Vectors.UpsertVectorsAsync(new() { Collection = "own", Points = { Items.Point("a", [1, 2]) } }).Bound();
        await AssertNotSaidAsync("own", new SearchQuery { Vector = new() { Values = { 1, 2 } } });

        // Whole images show no person.
        await Api.Ingest.IngestImageAsync(new() { Item = new() { JobId = "i", Image = TestImages.Photo(1) }, Model = "images", Collection = "images" }).Bound();
        await AssertNotSaidAsync("images", new SearchQuery { Image = TestImages.Photo(1), Model = "images" });
    }

    private async Task AssertNotSaidAsync(string collection, SearchQuery query)
    {
        var result = (await Api.Vectors.SearchVectorsAsync(new() { Collection = collection, Queries = { query } }).Bound()).Results[0];
        Assert.NotEmpty(result.Points);
        Assert.All(result.Points, point => Assert.False(point.HasSamePerson));
    }

    private Task IngestAsync(string model) => Api.Ingest.StreamIngest().ExchangeAsync(Enumerable.Range(0, 20).Select(i =>
    {
        var request = Items.IngestFace(model, $"j{i}", 0, TestImages.Crop(i));
        request.Model = model;
        return request;
    }));
}
