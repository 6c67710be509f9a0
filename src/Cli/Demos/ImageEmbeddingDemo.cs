using Embeddings.Cli.Sampling;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>Images to vectors: raw float pixels, a JPEG, the same scene again and another one.</summary>
internal static class ImageEmbeddingDemo
{
    public static async Task RunAsync(Demo demo, CancellationToken cancellationToken)
    {
        var model = await demo.DefaultModelAsync(ModelKind.Image, cancellationToken);
        async Task<Embedding> EmbedAsync(Image image)
        {
            var embedding = (await demo.Client.EmbedImageAsync(new EmbedImageRequest { Image = image }, cancellationToken)).Embedding;
            demo.Check(embedding.Values.Count == model.Dimension && embedding.Values.All(float.IsFinite), $"every vector has {model.Dimension} finite numbers");
            return embedding;
        }

        var pixels = RandomPixels.Draw(model, Demo.Seed);
        var random = await EmbedAsync(pixels);
        demo.SayVector("embed image_1", $"random pixels ({model.InputHeight}, {model.InputWidth}, 3) float32", random);
        demo.Check(random.Values.SequenceEqual((await EmbedAsync(pixels)).Values), "the same pixels give the same vector again");
        demo.Say("again", "the same pixels give the same vector, bit for bit");

        var samples = new SampleSet();
        var scene = samples.Draw(ItemKind.Image, 1, 1);
        var one = await EmbedAsync(scene.Image);
        demo.SayVector("embed image_2", $"{scene.Subject}, JPEG of {scene.Jpeg.Length:N0} bytes", one);
        var same = Vectors.Cosine(one.Values, (await EmbedAsync(samples.Draw(ItemKind.Image, 1, 2).Image)).Values);
        var other = Vectors.Cosine(one.Values, (await EmbedAsync(samples.Draw(ItemKind.Image, 2, 1).Image)).Values);
        demo.Say("compare", $"cosine with the same scene in other light {same:0.0000}, with another scene {other:0.0000}", json =>
        {
            json.WriteNumber("same", same);
            json.WriteNumber("other", other);
        });
        demo.Check(same > other, "a scene is more like itself in other light than like another scene");
    }
}
