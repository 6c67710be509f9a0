using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// One server's hold on its directory: a file it keeps open and locked. SQLite itself would let a second process write, and the first would never see that
/// in its memory. The system lets go when the process ends, however it ends.
/// </summary>
internal sealed class DirectoryLock : IDisposable
{
    private readonly FileStream _file;

    private DirectoryLock(FileStream file) => _file = file;

    /// <summary>Takes the directory, making it if need be; UNAVAILABLE where another server has it or it cannot be written.</summary>
    public static DirectoryLock Take(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Fail($"the store's directory '{directory}' cannot be made: {exception.Message}", exception);
        }

        var path = Path.Combine(directory, "embeddings.lock");
        try
        {
            return new DirectoryLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException exception)
        {
            throw Fail($"the store's directory '{directory}' cannot be written: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            throw Fail($"the store's directory '{directory}' is in use by another server; stop that one, or set Store:Embedded:Directory", exception);
        }
    }

    public void Dispose() => _file.Dispose();

    private static Fault Fail(string message, Exception inner) => new(FaultKind.Unavailable, Reasons.StoreUnavailable, message, inner: inner);
}
