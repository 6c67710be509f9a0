namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A folder that goes with the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("embeddings-e2e-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
