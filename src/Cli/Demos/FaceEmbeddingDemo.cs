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
            var embedding = await demo.EmbedAsync(face, cancellationToken);
            demo.Check(embedding.Values.Count == model.Dimension, $"every vector has {model.Dimension} dimensions");
            var isUnit = embedding.UnitLength && Math.Abs(Vectors.Norm(embedding.Values) - 1) <= NormTolerance;
            demo.Check(isUnit, $"every vector's L2 norm is 1 within {NormTolerance}");
            return embedding;
        }

        var pixels = $"random pixels ({model.InputHeight}, {model.InputWidth}, 3) float32";
        demo.PrintVector("embed face_0", pixels, await EmbedAsync(new FaceCrop { Image = Demo.RandomPixels(model) }));

        var face = SampleSet.Get(ItemKind.Face, 1, 1);
        var one = await EmbedAsync(face.Face);
        var jpeg = $"{face.Subject}, JPEG of {face.Jpeg.Length:N0} bytes, aligned by five landmarks";
        demo.PrintVector("embed face_1", jpeg, one);
        var same = await EmbedAsync(SampleSet.Get(ItemKind.Face, 1, 2).Face);
        demo.Compare("face", one, same, await EmbedAsync(SampleSet.Get(ItemKind.Face, 2, 1).Face));
    }
}
