using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;

namespace Embeddings.IntegrationTests.RealModels;

/// <summary>Recorded input tensors, embedded by a server, compared with recorded outputs of another version of the runtime.</summary>
public sealed class GoldenTests(MaterialServer server) : IClassFixture<MaterialServer>
{
    [MaterialTheory]
    [InlineData(MaterialServer.Faces, "mobilefacenet128_4faces", 112)]
    [InlineData(MaterialServer.Objects, "mobilenetv3small_4imgs", 224)]
    public async Task Vectors_equal_the_recorded_ones_alone_and_batched(string model, string golden, int size)
    {
        var inputs = MaterialServer.Floats(golden + ".input.f32");
        var outputs = MaterialServer.Floats(golden + ".output.ort130.f32");
        var (length, dimension) = (inputs.Length / 4, outputs.Length / 4);
        var requests = Enumerable.Range(0, 4)
            .Select(i => Request(model, i, MaterialServer.Pixels(inputs.AsSpan(i * length, length), size, size)))
            .ToList();

        List<float[]> alone = [];
        foreach (var request in requests)
        {
            alone.AddRange(await server.StreamAsync([request]));
        }
        var batched = await server.StreamAsync(Enumerable.Range(0, 8).SelectMany(_ => requests));
        for (var i = 0; i < alone.Count + batched.Count; i++)
        {
            var vector = i < 4 ? alone[i] : batched[i - 4];
            var expected = outputs.AsSpan(i % 4 * dimension, dimension).ToArray();
            // Face vectors are returned with L2 norm 1; the recorded vectors are the raw output of the model.
            var scale = model == MaterialServer.Faces ? Math.Sqrt(expected.Sum(v => (double)v * v)) : 1;
            Assert.InRange(Items.Distance(expected, vector.Select(v => (float)(v * scale))), 0, 1e-4);
        }
    }

    private static StreamEmbedRequest Request(string model, int i, PixelBuffer pixels) => model == MaterialServer.Faces
        ? Items.EmbedFace($"{i}", new() { Image = new() { Pixels = pixels } }, model)
        : Items.EmbedImage($"{i}", new() { Pixels = pixels }, model);
}
