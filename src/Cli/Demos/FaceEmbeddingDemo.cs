using Embeddings.Cli.Sampling;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>Faces to vectors of length 1: raw float pixels, a JPEG that the server aligns by its landmarks, the same face again and another one.</summary>
internal static class FaceEmbeddingDemo
{
    private const double NormTolerance = 1e-6;

    public static async Task RunAsync(Demo demo, CancellationToken cancellationToken)
    {
        var model = await demo.DefaultModelAsync(ModelKind.Face, cancellationToken);
        async Task<Embedding> EmbedAsync(FaceCrop face)
        {
            var embedding = (await demo.Client.EmbedFaceAsync(new EmbedFaceRequest { Face = face }, cancellationToken)).Embedding;
            demo.Check(embedding.Values.Count == model.Dimension, $"every vector has {model.Dimension} numbers");
            demo.Check(embedding.UnitLength && Math.Abs(Vectors.Norm(embedding.Values) - 1) <= NormTolerance,
                $"every vector's L2 norm is 1 within {NormTolerance}");
            return embedding;
        }

        demo.SayVector("embed face_0", $"random pixels ({model.InputHeight}, {model.InputWidth}, 3) float32",
            await EmbedAsync(new FaceCrop { Image = RandomPixels.Draw(model, Demo.Seed) }));

        var samples = new SampleSet();
        var face = samples.Draw(ItemKind.Face, 1, 1);
        var one = await EmbedAsync(face.Face);
        demo.SayVector("embed face_1", $"{face.Subject}, JPEG of {face.Jpeg.Length:N0} bytes, aligned by five landmarks", one);
        var same = Vectors.Cosine(one.Values, (await EmbedAsync(samples.Draw(ItemKind.Face, 1, 2).Face)).Values);
        var other = Vectors.Cosine(one.Values, (await EmbedAsync(samples.Draw(ItemKind.Face, 2, 1).Face)).Values);
        demo.Say("compare", $"cosine with the same face in other light {same:0.0000}, with another face {other:0.0000}", json =>
        {
            json.WriteNumber("same", same);
            json.WriteNumber("other", other);
        });
        demo.Check(same > other, "a face is more like itself in other light than like another face");
    }
}
