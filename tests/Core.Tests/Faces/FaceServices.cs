using Embeddings.Core.Faces;
using Embeddings.Core.Memory;
using Embeddings.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Embeddings.Core.Tests.Faces;

/// <summary>The core with the default models.</summary>
public sealed class FaceServices : IDisposable
{
    private readonly ServiceProvider? _services = TrainedModels.Missing is null
        ? new ServiceCollection().AddEmbeddingCore().BuildServiceProvider()
        : null;

    internal Embedder Embedder => Get<Embedder>();

    internal FaceFinder Finder => Get<FaceFinder>();

    internal MemoryBudget Memory => Get<MemoryBudget>();

    public void Dispose() => _services?.Dispose();

    private T Get<T>()
        where T : notnull => _services!.GetRequiredService<T>();
}
