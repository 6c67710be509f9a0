using System.Diagnostics.Metrics;
using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Benchmarks.Micro;

/// <summary>A model that does nothing, so that only what is around it is measured.</summary>
internal sealed class EmptyModel : IEmbeddingSession
{
    public ModelInfo Model { get; } = new(new ModelManifest
    {
        Name = "empty",
        Kind = ModelKind.Image,
        Input = new InputSpec { Width = 1, Height = 1 },
        Dimension = 512,
        MaxBatch = 64,
        Sha256 = new string('0', 64),
    });

    public int MaxBatch => Model.Manifest.MaxBatch;

    public int MultiThreadedRuns => 1;

    public int SingleThreadedRuns => 0;

    public string ExecutionProvider => "none";

    public IReadOnlyList<string> Notices => [];

    public static EmbeddingMetrics Metrics() => new(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());

    public BatchTensor CreateTensor() =>
        new(new TensorLayout(Model.Manifest.Input, Model.Dimension, HalfInput: false, HalfOutput: false, OutputShape: null), MaxBatch);

    public void Run(int slot, BatchTensor tensor, int first, int count)
    {
    }

    public void Finish(Span<float> vector)
    {
    }

    public void Dispose()
    {
    }
}
