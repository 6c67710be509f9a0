using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>ListModels and GetModel, several models at once, and models that do not exist or are of the wrong kind.</summary>
public sealed class ModelTests : IAsyncLifetime
{
    private readonly ModelFolder _models = new ModelFolder().Add(Items.FaceModel, "other-face", 100).Add(Items.ImageModel, "other-image", 100);
    private TestServer? _server;

    private Api Api => _server!.Api;

    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(_models.Argument, $"--Models:DefaultFace={Items.FaceModel}");

    public async ValueTask DisposeAsync()
    {
        await _server!.DisposeAsync();
        _models.Dispose();
    }

    [Fact]
    public async Task Models_are_listed_by_name_in_pages()
    {
        var models = (await Api.Models.ListModelsAsync(new()).Bound()).Models;
        Assert.Equal([Items.FaceModel, Items.ImageModel, "other-face", "other-image"], models.Select(model => model.Name));
        Assert.Equal([true, false, false, true], models.Select(model => model.DefaultForKind));
        Assert.All(models, model =>
        {
            Assert.Equal(512, model.Dimension);
            Assert.Equal(64, model.Sha256.Length);
            Assert.Equal(64, model.Fingerprint.Length);
            Assert.True(model.Loaded);
            Assert.Equal("cpu", model.ExecutionProvider);
            Assert.NotEmpty(model.Licence);
            Assert.NotEmpty(model.Origin);
            Assert.NotEmpty(model.Description);
            Assert.Equal(model.Kind == ModelKind.Face ? (112, 112) : (224, 224), (model.InputWidth, model.InputHeight));
        });
        Assert.Equal(models[0].Sha256, models[2].Sha256);
        Assert.Equal(4, models.Select(model => model.Fingerprint).Distinct().Count());
        Assert.Contains("untrained", models[0].Description);

        var page = await Api.Models.ListModelsAsync(new() { PageSize = 3 }).Bound();
        var rest = await Api.Models.ListModelsAsync(new() { PageSize = 3, PageToken = page.NextPageToken }).Bound();
        Assert.Equal(models, page.Models.Concat(rest.Models));
        Assert.Empty(rest.NextPageToken);
        Assert.Equal(models[1], (await Api.Models.GetModelAsync(new() { Name = Items.ImageModel }).Bound()).Model);
    }

    [Fact]
    public async Task Items_of_one_stream_can_use_different_models()
    {
        string[] names = [Items.FaceModel, "other-face", Items.ImageModel, "other-image"];
        var requests = Enumerable.Range(0, 120).Select(i =>
            i % 4 < 2 ? Items.EmbedFace($"{i}", TestImages.Crop(1), names[i % 4]) : Items.EmbedImage($"{i}", TestImages.Photo(1), names[i % 4]));
        var answers = await Api.Embedding.StreamEmbed().ExchangeAsync(requests);
        Assert.Equal(Enumerable.Range(0, 120).Select(i => ($"{i}", names[i % 4])), answers.Select(answer => (answer.ItemId, answer.Embedding.Model)));
        for (var i = 4; i < 120; i++)
        {
            Assert.InRange(Items.Distance(answers[i % 4].Embedding.Values, answers[i].Embedding.Values), 0, 1e-6);
        }
        // Different preprocessing results in different vectors.
        Assert.True(Items.Distance(answers[2].Embedding.Values, answers[3].Embedding.Values) > 1e-4);
    }

    [Fact]
    public async Task An_unknown_model_is_NOT_FOUND()
    {
        var error = await Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1), Model = "none" }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        Assert.Contains(Items.FaceModel, error.Status.Detail);
        await Api.Models.GetModelAsync(new() { Name = new string('x', 500) }).FailsAsync(StatusCode.NotFound, "MODEL_NOT_FOUND");
        await Api.Models.GetModelAsync(new()).FailsAsync(StatusCode.InvalidArgument, "FIELD_REQUIRED", "name");
        var answers = await Api.Embedding.StreamEmbed().ExchangeAsync([Items.EmbedFace("a", TestImages.Crop(1), "none"), Items.EmbedFace("b", TestImages.Crop(1))]);
        Assert.Equal(((int)StatusCode.NotFound, "MODEL_NOT_FOUND"), (answers[0].Error.Code, answers[0].Error.Reason));
        Assert.NotNull(answers[1].Embedding);
    }

    [Fact]
    public async Task A_model_of_the_wrong_kind_is_rejected()
    {
        await Api.Embedding.EmbedFaceAsync(new() { Face = TestImages.Crop(1), Model = Items.ImageModel })
            .FailsAsync(StatusCode.InvalidArgument, "MODEL_KIND_MISMATCH", "model");
        await Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1), Model = Items.FaceModel })
            .FailsAsync(StatusCode.InvalidArgument, "MODEL_KIND_MISMATCH", "model");
    }

    [Fact]
    public async Task Vectors_and_queries_of_another_model_are_rejected()
    {
        var collection = ServerFixture.NewCollection();
        var item = new FaceItem { JobId = "j", Face = TestImages.Crop(1) };
        await Api.Ingest.IngestFaceAsync(new() { Item = item, Collection = collection }).Bound();
        var error = await Api.Ingest.IngestFaceAsync(new() { Item = item, Collection = collection, Model = "other-face" })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
        Assert.Contains("other-face", error.Status.Detail);
        await Api.Vectors.SearchVectorsAsync(new() { Collection = collection, Queries = { new SearchQuery { Face = TestImages.Crop(1), Model = "other-face" } } })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
        await Api.Vectors.UpsertVectorsAsync(new() { Collection = collection, Points = { Items.Point("p", Items.Vector(1)) }, Model = "other-face" })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");

        var stream = new[] { Items.IngestFace(collection, "a", 0, TestImages.Crop(1)), Items.IngestFace(collection, "b", 0, TestImages.Crop(1)) };
        stream[0].Model = "other-face";
        var answers = await Api.Ingest.StreamIngest().ExchangeAsync(stream);
        Assert.Equal((int)StatusCode.FailedPrecondition, answers[0].Error.Code);
        Assert.Equal("b-0", answers[1].Ack.PointId);
        Assert.Equal(2, (await Api.Vectors.CountVectorsAsync(new() { Collection = collection }).Bound()).Count);
    }

    [Fact]
    public async Task A_model_of_another_dimension_is_rejected()
    {
        var collection = ServerFixture.NewCollection();
        await Api.Vectors.UpsertVectorsAsync(new() { Collection = collection, Points = { Items.Point("p", [1, 2, 3]) } }).Bound();
        await Api.Ingest.IngestFaceAsync(new() { Item = new() { JobId = "j", Face = TestImages.Crop(1) }, Collection = collection })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
    }
}
