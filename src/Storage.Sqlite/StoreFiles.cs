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
        catch (Exception exception) when (exception is UnauthorizedAccessException || IsReadOnly(exception))
        {
            throw Fail(
                $"The store's directory '{directory}' is read-only; make it writable for the server, or set "
                + "Store:Embedded:Directory to another directory.",
                exception);
        }
        catch (IOException exception) when (IsInUse(exception))
        {
            throw Fail(
                $"The store's directory '{directory}' is in use by another server; stop that server, or set "
                + "Store:Embedded:Directory to another directory.",
                exception);
        }
        catch (IOException exception)
        {
            throw Fail($"The store's directory '{directory}' cannot be locked: {exception.Message}", exception);
        }
    }

    public void Dispose() => _file.Dispose();

    private static Fault Fail(string message, Exception inner) =>
        new(FaultKind.Unavailable, Reasons.StoreUnavailable, message, inner: inner);

    // .NET has no exception types for these; the codes are EROFS, and EAGAIN of Linux or macOS from flock(2).
    private static bool IsReadOnly(Exception exception) => !OperatingSystem.IsWindows() && exception.HResult == 30;

    private static bool IsInUse(IOException exception) => OperatingSystem.IsWindows()
        ? exception.HResult is unchecked((int)0x80070020) or unchecked((int)0x80070021)
        : exception.HResult is 11 or 35;
}

/// <summary>
/// A file that says that the directory holds a store. A database that is missing or empty although this file or a log exists
/// has been lost: it must not be taken for a new one.
/// </summary>
internal static class StoreIdentity
{
    private const string Text =
        "This directory holds an Embeddings store. To start with an empty store, delete all files whose names begin with "
        + "'embeddings.'.\n";

    /// <summary>UNAVAILABLE if the directory had a database that is missing or empty now.</summary>
    public static void Require(string directory)
    {
        var database = SqliteSchema.PathIn(directory);
        if (Length(database) > 0)
        {
            return;
        }

        var log = database + "-wal";
        var witness = Length(log) > 0 ? log : PathIn(directory);
        if (Length(witness) > 0)
        {
            throw new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"The store's file '{database}' is {(File.Exists(database) ? "empty" : "missing")}, but '{witness}' shows "
                + "that there was a store. Restore the file from a backup; to start with an empty store, delete all "
                + $"files in '{directory}' whose names begin with 'embeddings.'.");
        }
    }

    /// <summary>Records that the directory holds a store. A failure does no harm: the next start tries again.</summary>
    public static void Record(string directory)
    {
        var path = PathIn(directory);
        try
        {
            if (Length(path) == 0)
            {
                File.WriteAllText(path, Text);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // For example a full disk.
        }
    }

    private static string PathIn(string directory) => Path.Combine(directory, "embeddings.store");

    private static long Length(string path) => new FileInfo(path) is { Exists: true } file ? file.Length : 0;
}

/// <summary>
/// A second handle to one of SQLite's files, for flushing, since a flush through any handle flushes the whole file, and for
/// scrubbing. The file stays the same as long as a connection is open.
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

    /// <summary>The size of the file, bytes.</summary>
    public long Length => RandomAccess.GetLength(_file.SafeFileHandle);

    /// <summary>Reads up to the end of the file or the buffer, and returns the number of bytes read.</summary>
    public int Read(Span<byte> buffer, long position)
    {
        var total = 0;
        while (total < buffer.Length && RandomAccess.Read(_file.SafeFileHandle, buffer[total..], position + total) is > 0 and var read)
        {
            total += read;
        }

        return total;
    }

    public void Write(ReadOnlySpan<byte> bytes, long position) => RandomAccess.Write(_file.SafeFileHandle, bytes, position);

    public void Dispose() => _file.Dispose();
}
