using Embeddings.Cli.Samples;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>Embeds images: raw float pixels, a JPEG, the same scene again and another one.</summary>
internal static class ImageEmbeddingDemo
{
    public static async Task RunAsync(Demo demo, CancellationToken cancellationToken)
    {
        var model = await demo.DefaultModelAsync(ModelKind.Image, cancellationToken);
        async Task<Embedding> EmbedAsync(Image image)
        {
            var embedding = await demo.EmbedAsync(image, cancellationToken);
            var isValid = embedding.Values.Count == model.Dimension && embedding.Values.All(float.IsFinite);
            demo.Check(isValid, $"every vector has {model.Dimension} finite values");
            return embedding;
        }

        var pixels = Demo.RandomPixels(model);
        var random = await EmbedAsync(pixels);
        demo.PrintVector("embed image_1", $"random pixels ({model.InputHeight}, {model.InputWidth}, 3) float32", random);
        var again = await EmbedAsync(pixels);
        demo.Check(random.Values.SequenceEqual(again.Values), "the same pixels give the same vector again");
        demo.Print("again", "the same pixels give the same vector, bit for bit");

        var scene = SampleSet.Get(ItemKind.Image, 1, 1);
        var one = await EmbedAsync(scene.Image);
        demo.PrintVector("embed image_2", $"{scene.Subject}, JPEG of {scene.Jpeg.Length:N0} bytes", one);
        var same = await EmbedAsync(SampleSet.Get(ItemKind.Image, 1, 2).Image);
        demo.Compare("scene", one, same, await EmbedAsync(SampleSet.Get(ItemKind.Image, 2, 1).Image));
    }
}
