using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Testing.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Core.Tests.Inference;

/// <summary>Memory of ONNX Runtime after a large batch; measured alone, since it is the memory of the process.</summary>
[CollectionDefinition(nameof(ArenaTests), DisableParallelization = true)]
[Collection(nameof(ArenaTests))]
public sealed class ArenaTests : IDisposable
{
    private const int Side = 512;
    private const int Batch = 64;

    // Of the intermediate tensor of the largest batch: 201 MB.
    private const long Bytes = (long)Batch * 3 * Side * Side * sizeof(float);

    private readonly TemporaryModels _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void The_memory_of_a_large_batch_is_given_back()
    {
        using var model = _models.Load(Graph(), TemporaryModels.Manifest(Side, Side, 3) with { MaxBatch = Batch });
        using var tensor = model.CreateTensor();
        for (var i = 0; i < Batch; i++)
        {
            tensor.Item(i).Fill(i);
        }
        model.Try(0, tensor, 1, releaseMemory: false, default);
        var before = Environment.WorkingSet;
        model.Try(0, tensor, Batch, releaseMemory: false, default);
        Assert.InRange(Environment.WorkingSet - before, Bytes / 2, long.MaxValue);
        // The arena keeps it.
        model.Try(0, tensor, 1, releaseMemory: false, default);
        Assert.InRange(Environment.WorkingSet - before, Bytes / 2, long.MaxValue);

        model.Try(0, tensor, 1, releaseMemory: true, default);
        Assert.InRange(Environment.WorkingSet - before, long.MinValue, Bytes / 4);
        // And the session still works.
        model.Run(0, tensor, 0, 2);
        Assert.Equal([0, 2], [tensor.TakeResult(0)[0], tensor.TakeResult(1)[0]]);
    }

    [Fact]
    public void A_run_is_ended_when_it_is_cancelled()
    {
        using var model = _models.Load(Graph(), TemporaryModels.Manifest(Side, Side, 3) with { MaxBatch = Batch });
        using var tensor = model.CreateTensor();
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => model.Try(0, tensor, 1, releaseMemory: false, cancelled.Token));
        // The session is not: others run on.
        model.Run(0, tensor, 0, 1);
        Assert.Equal(3, tensor.TakeResult(0).Length);
    }

    // The mean of each channel, doubled by way of an intermediate tensor as large as the input.
    private static ModelProto Graph()
    {
        var graph = new GraphBuilder("large");
        var input = graph.Input("input", TemporaryModels.Float, 0, 3, Side, Side);
        var doubled = graph.Node("Add", [input, input]);
        graph.Node("Flatten", [graph.Node("GlobalAveragePool", [doubled])], ["output"]);
        graph.Output("output", TemporaryModels.Float, 0, 3);
        return graph.Build();
    }
}
