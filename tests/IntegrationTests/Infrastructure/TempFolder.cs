namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A temporary directory.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("embeddings-e2e-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
