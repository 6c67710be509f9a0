namespace Embeddings.Server.Storage.Embedded;

/// <summary>
/// The log that SQLite's commits go to, as a file of its own to flush. The file stays the same one as long as a connection is open, and a flush through
/// any handle is one for the whole file.
/// </summary>
internal sealed class WriteAheadLog(string directory) : IDisposable
{
    // Shared with SQLite, which takes no lock on the log; Windows flushes only what was opened for writing.
    private readonly FileStream _file = new(SqliteSchema.PathIn(directory) + "-wal", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 0);

    /// <summary>Returns once everything committed before the call is on the disk. <see cref="IOException"/> where that cannot be said.</summary>
    public void Flush() => RandomAccess.FlushToDisk(_file.SafeFileHandle);

    public void Dispose() => _file.Dispose();
}
