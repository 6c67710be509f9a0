using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Tests.Inference;

public sealed class EmbeddingModelTests : IDisposable
{
    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void Vectors_equal_those_of_a_plain_loop_at_every_place_of_the_tensor()
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        using var tensor = model.CreateTensor();
        Assert.Equal(8, tensor.Capacity);
        var random = new Random(1);
        for (var i = 0; i < 8; i++)
        {
            foreach (ref var value in tensor.Item(i))
            {
                value = random.NextSingle();
            }
        }
        foreach (var (first, count) in new[] { (0, 8), (0, 1), (3, 1), (2, 5), (7, 1), (0, 8), (2, 5) })
        {
            for (var i = first; i < first + count; i++)
            {
                tensor.Vector(i).Fill(float.NaN);
            }
            model.Run(0, tensor, first, count);
            for (var i = first; i < first + count; i++)
            {
                for (var c = 0; c < 3; c++)
                {
                    Assert.Equal(tensor.Item(i).Slice(c * 35, 35).ToArray().Average(), tensor.Vector(i)[c], 1e-5f);
                }
            }
        }
    }

    [Fact]
    public void A_run_outside_the_tensor_or_the_sessions_is_refused()
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3), new() { Sessions = 2 });
        using var tensor = model.CreateTensor();
        Assert.Equal(2, model.MultiThreadedRuns);
        model.Run(1, tensor, 0, 1);
        foreach (var (session, first, count) in new[] { (0, 0, 9), (0, 8, 1), (0, -1, 1), (0, 0, 0), (2, 0, 1), (-1, 0, 1), (0, 4, 5) })
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => model.Run(session, tensor, first, count));
        }
        using var other = _models.Load(TemporaryModels.ChannelMeans(6, 7), TemporaryModels.Manifest(7, 6, 3, "other"));
        using var foreign = other.CreateTensor();
        Assert.Throws<ArgumentException>(() => model.Run(0, foreign, 0, 1));
    }

    [Fact]
    public void A_batch_with_an_item_that_fails_throws_and_the_others_run_alone_afterwards()
    {
        // The first pixel is an index into a table of two rows: 2 and more is out of range, and only the run finds out.
        var graph = new GraphBuilder("poison");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, 2, 2);
        var pixel = graph.Node("Slice", [graph.Node("Flatten", [input]), graph.Longs([0], 1), graph.Longs([1], 1), graph.Longs([1], 1)]);
        var index = graph.Node("Squeeze", [graph.Node("Cast", [pixel], Attributes.Int("to", (long)TensorProto.Types.DataType.Int64)), graph.Longs([1], 1)]);
        graph.Node("Gather", [graph.Floats([1, 2, 3, 4], 2, 2), index], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 2);
        using var model = _models.Load(graph.Build(), TemporaryModels.Manifest(2, 2, 2) with { Input = new() { Width = 2, Height = 2, Std = [1000, 1000, 1000] } });
        Assert.Equal(8, model.MaxBatch);

        using var tensor = model.CreateTensor();
        for (var i = 0; i < 8; i++)
        {
            tensor.Item(i).Clear();
            tensor.Item(i)[0] = i == 5 ? 9 : i % 2;
        }
        for (var round = 0; round < 3; round++)
        {
            Assert.Throws<OnnxRuntimeException>(() => model.Run(0, tensor, 0, 8));
            for (var i = 0; i < 8; i++)
            {
                if (i == 5)
                {
                    Assert.Throws<OnnxRuntimeException>(() => model.Run(0, tensor, i, 1));
                    continue;
                }
                model.Run(0, tensor, i, 1);
                Assert.Equal(i % 2 == 0 ? [1, 2] : [3, 4], tensor.Vector(i).ToArray());
            }
        }
    }

    [Fact]
    public void Sessions_run_at_the_same_time()
    {
        using var model = _models.Load(TemporaryModels.ChannelMeans(16, 16), TemporaryModels.Manifest(16, 16, 3), new() { Sessions = 3, IntraOpThreads = 1 });
        Parallel.For(0, 3, session =>
        {
            using var tensor = model.CreateTensor();
            for (var round = 0; round < 50; round++)
            {
                for (var i = 0; i < 8; i++)
                {
                    tensor.Item(i).Fill(session + (i * 10) + round);
                }
                model.Run(session, tensor, 0, 8);
                for (var i = 0; i < 8; i++)
                {
                    Assert.Equal(session + (i * 10) + round, tensor.Vector(i)[2], 1e-3f);
                }
            }
        });
    }

    [Fact]
    public void Finishing_refuses_vectors_without_a_direction()
    {
        using var image = _models.Load(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        var face = TemporaryModels.Manifest(7, 5, 3, "face") with { Kind = ModelKind.Face, UnitLength = true };
        using var faces = _models.Load(TemporaryModels.ChannelMeans(5, 7), face);
        foreach (var model in (EmbeddingSession[])[image, faces])
        {
            Assert.Equal(Reasons.VectorZero, Assert.Throws<Fault>(() => model.Finish(new float[3])).Reason);
            Assert.Equal(Reasons.VectorNotFinite, Assert.Throws<Fault>(() => model.Finish(new[] { 1, float.NaN, 0 })).Reason);
            Assert.Equal(Reasons.VectorNotFinite, Assert.Throws<Fault>(() => model.Finish(new[] { float.NegativeInfinity, 0, 0 })).Reason);
        }
        float[] vector = [3, 0, -4];
        image.Finish(vector);
        Assert.Equal([3, 0, -4], vector);
        faces.Finish(vector);
        Assert.Equal(0.6f, vector[0], 1e-6f);
        Assert.Equal(-0.8f, vector[2], 1e-6f);
    }

    [Fact]
    public void Use_after_disposal_throws_and_disposing_twice_is_allowed()
    {
        var model = _models.Load(TemporaryModels.ChannelMeans(5, 7), TemporaryModels.Manifest(7, 5, 3));
        var tensor = model.CreateTensor();
        model.Run(0, tensor, 0, 1);
        using (var gone = model.CreateTensor())
        {
            model.Run(0, gone, 0, 1);
            gone.Dispose();
            Assert.Throws<ObjectDisposedException>(() => gone.Item(0));
            Assert.Throws<ObjectDisposedException>(() => model.Run(0, gone, 0, 1));
        }
        model.Dispose();
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.Run(0, tensor, 0, 1));
        tensor.Dispose();
        tensor.Dispose();
    }
}
