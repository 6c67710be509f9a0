using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>The default models with real images.</summary>
public sealed class TrainedModelTests
{
    [TrainedModelsFact]
    public async Task The_default_models_are_trained_models_with_an_origin()
    {
        await using var server = await TestServer.StartPlainAsync();
        var models = (await server.Api.Models.ListModelsAsync(new()).Bound()).Models;
        Assert.Equal(
            [
                ("landmarks68", ModelKind.Landmarks, 0, ColorOrder.Gray),
                ("mobilefacenet", ModelKind.Face, 512, ColorOrder.Bgr),
                ("resnet18", ModelKind.Image, 512, ColorOrder.Bgr),
                ("ultraface", ModelKind.Detector, 0, ColorOrder.Rgb),
            ],
            models.Select(model => (model.Name, model.Kind, model.Dimension, model.ColorOrder)));
        Assert.All(models, model => Assert.Equal(("MIT", true, true), (model.Licence, model.Origin.Length > 0, model.DefaultForKind)));
        Assert.All(models.Where(model => model.Name != "resnet18"), model => Assert.Contains("does not state", model.Description, StringComparison.Ordinal));
        Assert.Equal([256f], models[0].Std.ToArray());
        Assert.True(models[1].HasSuggestedThreshold);
        Assert.Equal((true, 0), (models[1].HasFalseMatchRate, models[1].FalseMatchRate));
        Assert.False(models[3].HasFalseMatchRate);
        await server.Api.Embedding.EmbedImageAsync(new() { Image = TestImages.Photo(1), Model = "ultraface" })
            .FailsAsync(StatusCode.InvalidArgument, "MODEL_KIND_MISMATCH", "model");
        await server.Api.Vectors.UpsertVectorsAsync(new() { Points = { Items.Point("p", [1, 2]) }, Model = "ultraface", Collection = ServerFixture.NewCollection() })
            .FailsAsync(StatusCode.InvalidArgument, "MODEL_KIND_MISMATCH", "model");
    }

    [TrainedModelsFact]
    public async Task Optional_models_are_served_if_the_operator_wants_them()
    {
        await using var server = await TestServer.StartPlainAsync("--Models:UseOptional=true");
        var models = (await server.Api.Models.ListModelsAsync(new()).Bound()).Models;
        Assert.Equal(
            [("liveness", true, true), ("pose", true, true)],
            models.Where(model => model.Kind is ModelKind.Liveness or ModelKind.Pose).Select(model => (model.Name, model.DefaultForKind, model.Loaded)));
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Crops_of_one_person_are_more_similar_than_crops_of_two_people()
    {
        await using var server = await TestServer.StartPlainAsync();
        var files = Directory.GetFiles(Material.Path("crops"), "*.png").Order(StringComparer.Ordinal).ToList();
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(
            files.Select(file => Items.EmbedFace(file, new() { Image = TestImages.Encoded(File.ReadAllBytes(file)) })));
        var faces = answers.Select(answer => (Person: Path.GetFileName(answer.ItemId).Split("__")[0], answer.Embedding.Values)).ToList();
        var pairs = faces.SelectMany((a, i) => faces.Skip(i + 1).Select(b => (Same: a.Person == b.Person, Cosine: Dot(a.Values, b.Values)))).ToLookup(pair => pair.Same, pair => pair.Cosine);
        Assert.Equal((46, 360), (pairs[true].Count(), pairs[false].Count()));
        Assert.Equal(0.597, pairs[true].Min(), 0.005);
        Assert.Equal(0.421, pairs[false].Max(), 0.005);
        var threshold = (await server.Api.Models.GetModelAsync(new() { Name = "mobilefacenet" }).Bound()).Model.SuggestedThreshold;
        Assert.Equal((pairs[true].Min() + pairs[false].Max()) / 2, threshold, 0.005);
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task The_nearest_other_image_of_a_tree_has_the_same_species()
    {
        await using var server = await TestServer.StartPlainAsync();
        var collection = ServerFixture.NewCollection();
        string[] kinds = ["Hemlock", "Japanese_Cherry"];
        var files = kinds.SelectMany(kind => Directory.GetFiles(Material.Path("images", "azure-samples", "CustomVision", "ImageClassification", "Images", kind))).ToList();
        Assert.Equal(20, files.Count);
        var answers = await server.Api.Ingest.StreamIngest().ExchangeAsync(
            files.Select((file, i) => Items.IngestImage(collection, $"{i}", TestImages.Encoded(File.ReadAllBytes(file)), KindOf(file))));
        Assert.All(answers, answer => Assert.NotNull(answer.Ack));
        var request = new SearchVectorsRequest { Collection = collection, Limit = 1 };
        request.Queries.AddRange(files.Select((_, i) => new SearchQuery { PointId = $"{i}" }));
        var results = (await server.Api.Vectors.SearchVectorsAsync(request).Bound()).Results;
        Assert.Equal(files.Select(KindOf), results.Select(result => result.Points[0].Point.Payload.MediaStoreId));
    }

    private static string KindOf(string file) => Path.GetFileName(Path.GetDirectoryName(file))!;

    // The vectors have length 1.
    private static double Dot(IEnumerable<float> left, IEnumerable<float> right) => left.Zip(right, (a, b) => (double)a * b).Sum();
}
