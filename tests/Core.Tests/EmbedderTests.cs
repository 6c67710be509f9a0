using System.ComponentModel.DataAnnotations;
using Embeddings.Core.Tests.Imaging;
using Embeddings.Primitives;
using Embeddings.TestModels;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Core.Tests;

/// <summary>The public API, and nothing else of the core.</summary>
public sealed class EmbedderTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection()
        .AddEmbeddingCore(new() { Models = new() { UseDefaults = false, Directories = [Descriptor.Folder] } })
        .BuildServiceProvider();

    private Embedder Embedder => _services.GetRequiredService<Embedder>();

    public void Dispose() => _services.Dispose();

    [Fact]
    public void Models_are_listed_by_name()
    {
        var models = Embedder.Models;
        Assert.Equal([Descriptor.FaceModel, Descriptor.ImageModel], models.Select(model => model.Name));
        Assert.Equal([ModelKind.Face, ModelKind.Image], models.Select(model => model.Kind));
        Assert.All(models, model => Assert.Equal(64, model.Fingerprint.Length));
    }

    [Fact]
    public async Task A_file_and_its_pixels_have_the_same_vector()
    {
        var pixels = TestImages.Smooth(320, 240);
        var file = TestImages.Encode(pixels, 320, 240, 3, ".png");
        var fromFile = await Embedder.EmbedAsync(ModelKind.Image, ImageInput.FromFile(file));
        var fromPixels = await Embedder.EmbedAsync(
            ModelKind.Image, new ImageInput(pixels, PixelFormat.Rgb8, 320, 240), Descriptor.ImageModel);
        Assert.Equal(Descriptor.ImageModel, fromFile.Model.Name);
        Assert.Equal(fromFile.Model.Dimension, fromFile.Vector.Length);
        Assert.Equal(fromFile.Vector, fromPixels.Vector);
    }

    [Fact]
    public async Task Concurrent_faces_get_vectors_of_unit_length()
    {
        var model = Embedder.Models.First(model => model.Kind == ModelKind.Face);
        var pixels = TestImages.Smooth(model.InputWidth, model.InputHeight);
        var image = new ImageInput(pixels, PixelFormat.Rgb8, model.InputWidth, model.InputHeight);
        var results = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => Embedder.EmbedAsync(ModelKind.Face, image)));
        Assert.All(results, result =>
        {
            Assert.Equal(1, result.Vector.Sum(value => value * value), 1e-5f);
            Assert.InRange(result.BatchSize, 1, 1000);
        });
    }

    [Fact]
    public async Task Faults_name_reason_and_field()
    {
        var empty = await Assert.ThrowsAsync<Fault>(() => Embedder.EmbedAsync(ModelKind.Image, ImageInput.FromFile(default)));
        Assert.Equal((FaultKind.InvalidArgument, "IMAGE_EMPTY", "image.encoded"), (empty.Kind, empty.Reason, empty.Field));
        var image = ImageInput.FromFile(TestImages.Encode(TestImages.Smooth(8, 8), 8, 8, 3, ".png"));
        var unknown = await Assert.ThrowsAsync<Fault>(() => Embedder.EmbedAsync(ModelKind.Image, image, "nonsense"));
        Assert.Equal((FaultKind.NotFound, "MODEL_NOT_FOUND"), (unknown.Kind, unknown.Reason));
        var otherKind = await Assert.ThrowsAsync<Fault>(() => Embedder.EmbedAsync(ModelKind.Image, image, Descriptor.FaceModel));
        Assert.Equal("MODEL_KIND_MISMATCH", otherKind.Reason);
    }

    [Fact]
    public void Options_out_of_range_are_refused_at_registration() =>
        Assert.Throws<ValidationException>(() =>
            new ServiceCollection().AddEmbeddingCore(new() { Batching = new() { QueueLimit = 0 } }));

    [Fact]
    public async Task A_missing_folder_fails_with_the_first_use()
    {
        await using var services = new ServiceCollection()
            .AddEmbeddingCore(new() { Models = new() { UseDefaults = false, Directories = ["/no/such/folder"] } })
            .BuildServiceProvider();
        Assert.Contains("is not a folder", Assert.Throws<ModelException>(services.GetRequiredService<Embedder>).Message);
    }
}
