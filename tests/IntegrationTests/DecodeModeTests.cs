using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Grpc.Core;

namespace Embeddings.IntegrationTests;

/// <summary>Models that decode JPEG files at a reduced size or at full size (<c>input.decode</c> of their manifests), on every store.</summary>
public sealed class DecodeModeTests
{
    // 12 megapixels, of which a fourth of the size leaves more than twice the model's input.
    private static readonly Lazy<Image> Phone = new(
        () => TestImages.Encoded(TestImages.Encode(TestImages.Smooth(4000, 3000), 4000, 3000, 3, ".jpg[Q=85]")));

    public static TheoryData<string> Stores => StartedStore.All;

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Full_size_is_another_model_and_scaled_is_the_model_of_before_the_setting(string store)
    {
        using var models = new ModelFolder()
            .Add(Items.ImageModel, "before", 0).Decode("before", null)
            .Add(Items.ImageModel, "scaled", 0).Decode("scaled", "scaled")
            .Add(Items.ImageModel, "full", 0).Decode("full", "full");
        await using var started = await StartedStore.StartAsync(store, null, models.Argument);
        var api = started.Server.Api;
        var fingerprints = (await api.Models.ListModelsAsync(new()).Bound()).Models.ToDictionary(model => model.Name, model => model.Fingerprint);
        Assert.Equal(fingerprints["before"], fingerprints["scaled"]);
        Assert.NotEqual(fingerprints["before"], fingerprints["full"]);

        var answers = await api.Embedding.StreamEmbed().ExchangeAsync(
            [.. ((string[])["before", "scaled", "full"]).Select(name => Items.EmbedImage(name, Phone.Value, name))]);
        var vectors = answers.ToDictionary(answer => answer.ItemId, answer => answer.Embedding.Values.ToArray());
        Assert.InRange(Items.Distance(vectors["before"], vectors["scaled"]), 0, 1e-6);
        Assert.NotEqual(vectors["full"], vectors["scaled"]);
        Assert.InRange(Cosine(vectors["full"], vectors["scaled"]), 0.9999, 1);

        var collection = ServerFixture.NewCollection();
        var item = new ImageItem { JobId = "j", Image = Phone.Value };
        await api.Ingest.IngestImageAsync(new() { Item = item, Collection = collection, Model = "before" }).Bound();
        await api.Ingest.IngestImageAsync(new() { Item = item, Collection = collection, Model = "scaled" }).Bound();
        await api.Ingest.IngestImageAsync(new() { Item = item, Collection = collection, Model = "full" })
            .FailsAsync(StatusCode.FailedPrecondition, "COLLECTION_MODEL_MISMATCH");
        var found = await api.Vectors.SearchVectorsAsync(
            new() { Collection = collection, Limit = 1, Queries = { new SearchQuery { Image = Phone.Value, Model = "scaled" } } }).Bound();
        Assert.InRange(Assert.Single(found.Results[0].Points).Score, 0.9999f, 1.0001f);
    }

    [Theory]
    [InlineData("scaled")]
    [InlineData("full")]
    public async Task A_truncated_photo_is_refused(string decode)
    {
        using var models = new ModelFolder().Add(Items.ImageModel, "photos", 0).Decode("photos", decode);
        await using var server = await TestServer.StartAsync(models.Argument);
        var file = Phone.Value.Encoded;
        var cut = new Image { Encoded = Google.Protobuf.ByteString.CopyFrom(file.Span[..(file.Length * 9 / 10)]) };
        var answers = await server.Api.Embedding.StreamEmbed().ExchangeAsync(
            [Items.EmbedImage("cut", cut, "photos"), Items.EmbedImage("whole", Phone.Value, "photos")]);
        Assert.Equal(((int)StatusCode.InvalidArgument, "IMAGE_MALFORMED"), (answers[0].Error.Code, answers[0].Error.Reason));
        Assert.NotNull(answers[1].Embedding);
    }

    private static double Cosine(float[] a, float[] b)
    {
        double ab = 0, aa = 0, bb = 0;
        for (var i = 0; i < a.Length; i++)
        {
            ab += a[i] * (double)b[i];
            aa += a[i] * (double)a[i];
            bb += b[i] * (double)b[i];
        }
        return ab / Math.Sqrt(aa * bb);
    }
}
