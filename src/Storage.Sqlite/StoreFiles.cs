using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Exclusive ownership of the store's directory through a locked file. SQLite would let a second process write, and the
/// first would not see those writes in memory. The operating system releases the lock when the process ends for any
/// reason.
/// </summary>
internal sealed class DirectoryLock : IDisposable
{
    private readonly FileStream _file;

    private DirectoryLock(FileStream file) => _file = file;

    /// <summary>Locks the directory and creates it if necessary. UNAVAILABLE if it is in use or not writable.</summary>
    public static DirectoryLock Take(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Fail($"The store's directory '{directory}' cannot be created: {exception.Message}", exception);
        }

        var path = Path.Combine(directory, "embeddings.lock");
        try
        {
            return new DirectoryLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (UnauthorizedAccessException exception)
        {
            throw Fail($"The store's directory '{directory}' is not writable: {exception.Message}", exception);
        }
        catch (IOException exception)
        {
            throw Fail(
                $"The store's directory '{directory}' is in use by another server; stop that server, or set "
                + "Store:Embedded:Directory to another directory.",
                exception);
        }
    }

    public void Dispose() => _file.Dispose();

    private static Fault Fail(string message, Exception inner) =>
        new(FaultKind.Unavailable, Reasons.StoreUnavailable, message, inner: inner);
}

/// <summary>
/// A second handle to one of SQLite's files, for flushing: a flush through any handle flushes the whole file. The file
/// stays the same as long as a connection is open.
/// </summary>
/// <remarks>
/// Close it after the last connection: the system releases all locks of a process on a file when any of its handles is
/// closed.
/// </remarks>
internal sealed class DurableFile(string path) : IDisposable
{
    // Shared with SQLite; Windows flushes only handles that are open for writing.
    private readonly FileStream _file =
        new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 0);

    /// <summary>
    /// Returns when everything written before the call is on disk; <see cref="IOException"/> if that is uncertain.
    /// </summary>
    public void Flush() => RandomAccess.FlushToDisk(_file.SafeFileHandle);

    public void Dispose() => _file.Dispose();
}
