using Embeddings.Testing;
namespace Embeddings.Testing;

public sealed class TemporaryDirectory : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("embeddings-store-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
