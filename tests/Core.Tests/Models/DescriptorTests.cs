using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing;
using Embeddings.TestModels;

namespace Embeddings.Core.Tests.Models;

/// <summary>Properties of the test models that other tests rely on.</summary>
public sealed class DescriptorTests
{
    public static TheoryData<string> Names => new(Descriptor.ImageModel, Descriptor.FaceModel);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_the_same_whatever_its_batch(string name)
    {
        using var model = ModelLoader.Load(Descriptor.PathOf(name), new());
        Assert.Empty(model.Notices);
        Batches.AssertIndependent(model);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_is_the_same_in_multi_threaded_and_single_threaded_runs(string name)
    {
        var path = Descriptor.PathOf(name);
        var manifest = ManifestFile.Read(Path.ChangeExtension(path, ".json"));
        var options = new InferenceOptions();
        var sessions = new RuntimeSessions(path, options, new(1, 2, SingleThreadedRuns: 3));
        var signature = ModelSignature.Find(sessions.First, manifest, path);
        var probe = new ModelProbe(path, manifest, signature, sessions, options).Run();
        using var model = new EmbeddingSession(manifest, signature, probe, [], sessions);
        Assert.Equal((1, 3), (model.MultiThreadedRuns, model.SingleThreadedRuns));
        var vectors = new float[4][][];
        Parallel.For(0, 4, slot => vectors[slot] = Batches.Run(model, slot, 8));
        Assert.All(vectors[1..], narrow => Batches.AssertEqual(vectors[0], narrow));
    }
}
