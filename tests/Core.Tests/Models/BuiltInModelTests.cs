using System.Text;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Models.Maker;
using Embeddings.Primitives.Numerics;
using Embeddings.Testing;

namespace Embeddings.Core.Tests.Models;

public sealed class BuiltInModelTests
{
    public static TheoryData<string> Names => new("builtin-image", "builtin-face");

    [Fact]
    public void The_files_are_what_the_code_makes()
    {
        foreach (var model in BuiltInModel.All())
        {
            Assert.Equal(model.Graph.ToArray(), File.ReadAllBytes(PathOf(model.Name)));
            Assert.Equal(model.Manifest, File.ReadAllText(Path.ChangeExtension(PathOf(model.Name), ".json")));
            Assert.True(model.Graph.Length < 1 << 20);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_manifests_are_as_the_server_writes_them(string name)
    {
        var path = Path.ChangeExtension(PathOf(name), ".json");
        var manifest = ManifestReader.Read(path);
        Assert.Equal(Encoding.UTF8.GetString(ManifestWriter.Write(manifest)), File.ReadAllText(path));
        Assert.Contains("untrained", manifest.Description, StringComparison.Ordinal);
        Assert.Equal("Apache-2.0", manifest.Licence);
        Assert.Equal(512, manifest.Dimension);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_the_same_whatever_its_batch(string name)
    {
        using var model = Load(name);
        Assert.Equal(model.Manifest.MaxBatch, model.MaxBatch);
        Assert.Empty(model.Notices);
        using var tensor = model.CreateTensor();
        for (var i = 0; i < model.MaxBatch; i++)
        {
            ProbePicture.Draw(tensor.Item(i), model.Manifest.Input, i);
        }
        model.Run(0, tensor, 0, model.MaxBatch);
        var together = Enumerable.Range(0, model.MaxBatch).Select(i => tensor.Vector(i).ToArray()).ToArray();
        for (var i = 0; i < model.MaxBatch; i++)
        {
            model.Run(0, tensor, i, 1);
            for (var d = 0; d < 512; d++)
            {
                Assert.Equal(together[i][d], tensor.Vector(i)[d], 1e-5f);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_the_same_in_wide_and_narrow_runs(string name)
    {
        var manifest = ManifestReader.Read(Path.ChangeExtension(PathOf(name), ".json"));
        var options = new InferenceOptions();
        var sessions = new RuntimeSessions(PathOf(name), options, new(1, 2, NarrowRuns: 3));
        var signature = ModelSignature.Find(sessions.First, manifest, PathOf(name));
        var (layout, batch, notices) = new ModelProbe(PathOf(name), manifest, signature, sessions, options).Run();
        using var model = new ImageEmbeddingModel(new(manifest, signature, layout, batch, notices, sessions));
        Assert.Equal((1, 3), (model.Sessions, model.NarrowRuns));
        var vectors = new float[4][][];
        Parallel.For(0, 4, slot =>
        {
            using var tensor = model.CreateTensor();
            for (var i = 0; i < 8; i++)
            {
                ProbePicture.Draw(tensor.Item(i), manifest.Input, i);
            }
            model.Run(slot, tensor, 0, 8);
            vectors[slot] = [.. Enumerable.Range(0, 8).Select(i => tensor.Vector(i).ToArray())];
        });
        foreach (var narrow in vectors[1..])
        {
            for (var i = 0; i < 8; i++)
            {
                for (var d = 0; d < 512; d++)
                {
                    Assert.Equal(vectors[0][i][d], narrow[i][d], 1e-5f);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Even_a_picture_of_one_colour_has_a_vector(string name)
    {
        using var model = Load(name);
        using var tensor = model.CreateTensor();
        foreach (var level in (float[])[0, 1, 100, 127.5f, 255])
        {
            tensor.Item(0).Fill((level - model.Manifest.Input.Mean[0]) / model.Manifest.Input.Std[0]);
            model.Run(0, tensor, 0, 1);
            model.Finish(tensor.Vector(0));
            Assert.True(VectorMath.IsFinite(tensor.Vector(0)));
        }
    }

    internal static IEmbeddingModel Load(string name) => ModelLoader.Load(PathOf(name), new());

    private static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "models", name + ".onnx");
}
