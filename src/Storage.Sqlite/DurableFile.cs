namespace Embeddings.Storage.Sqlite;

/// <summary>
/// One of SQLite's files, to be flushed beside it: a flush through any handle is one for the whole file. The files stay the same ones as long as a connection
/// is open.
/// </summary>
/// <remarks>To be closed after the last connection: the system drops a process' locks on a file when any handle of it is closed.</remarks>
internal sealed class DurableFile(string path) : IDisposable
{
    // Shared with SQLite; Windows flushes only what was opened for writing.
    private readonly FileStream _file = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, 0);

    /// <summary>Returns once everything written before the call is on the disk. <see cref="IOException"/> where that cannot be said.</summary>
    public void Flush() => RandomAccess.FlushToDisk(_file.SafeFileHandle);

    public void Dispose() => _file.Dispose();
}
