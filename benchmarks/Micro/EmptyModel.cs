using System.Diagnostics.Metrics;
using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Benchmarks.Micro;

/// <summary>A model that does nothing, so that only what is around it is measured.</summary>
internal sealed class EmptyModel : IEmbeddingModel
{
    public ModelManifest Manifest { get; } = new()
    {
        Name = "empty",
        Kind = ModelKind.Image,
        Input = new InputSpec { Width = 1, Height = 1 },
        Dimension = 512,
        MaxBatch = 64,
        Sha256 = new string('0', 64),
    };

    public string Fingerprint => Manifest.Sha256;

    public int MaxBatch => Manifest.MaxBatch;

    public int Sessions => 1;

    public int NarrowRuns => 0;

    public string ExecutionProvider => "none";

    public IReadOnlyList<string> Notices => [];

    public static EmbeddingMetrics Metrics() => new(new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>());

    public BatchTensor CreateTensor() => new EmptyTensor(Manifest.MaxBatch, Manifest.Input.TensorLength, Manifest.Dimension);

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
