using Embeddings.Cli.Printing;
using Embeddings.Cli.Samples;
using Embeddings.V1;

namespace Embeddings.Cli.Demos;

/// <summary>
/// Embeds faces: raw float pixels, a JPEG that the server aligns by its landmarks, the same face again and another one.
/// </summary>
internal static class FaceEmbeddingDemo
{
    private const double NormTolerance = 1e-6;

    public static async Task RunAsync(Demo demo, CancellationToken cancellationToken)
    {
        var model = await demo.DefaultModelAsync(ModelKind.Face, cancellationToken);
        async Task<Embedding> EmbedAsync(FaceCrop face)
        {
            var embedding = (await demo.Client.EmbedFaceAsync(new EmbedFaceRequest { Face = face }, cancellationToken)).Embedding;
            demo.Check(embedding.Values.Count == model.Dimension, $"every vector has {model.Dimension} dimensions");
            demo.Check(embedding.UnitLength && Math.Abs(Vectors.Norm(embedding.Values) - 1) <= NormTolerance,
                $"every vector's L2 norm is 1 within {NormTolerance}");
            return embedding;
        }

        demo.PrintVector("embed face_0", $"random pixels ({model.InputHeight}, {model.InputWidth}, 3) float32",
            await EmbedAsync(new FaceCrop { Image = Demo.RandomPixels(model) }));

        var face = SampleSet.Get(ItemKind.Face, 1, 1);
        var one = await EmbedAsync(face.Face);
        demo.PrintVector("embed face_1", $"{face.Subject}, JPEG of {face.Jpeg.Length:N0} bytes, aligned by "
            + $"five landmarks", one);
        var same = Vectors.Cosine(one.Values, (await EmbedAsync(SampleSet.Get(ItemKind.Face, 1, 2).Face)).Values);
        var other = Vectors.Cosine(one.Values, (await EmbedAsync(SampleSet.Get(ItemKind.Face, 2, 1).Face)).Values);
        demo.Print("compare", $"cosine with the same face in another light {same:0.0000}, with another face "
            + $"{other:0.0000}", json =>
        {
            json.WriteNumber("same", same);
            json.WriteNumber("other", other);
        });
        demo.Check(same > other, "the cosine with the same face in another light is above the cosine with another face");
    }
}
