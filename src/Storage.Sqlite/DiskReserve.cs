namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Disk space that is held in a file for deletions. While the disk is full, the store rejects what adds data, answers
/// reads, and deletes, with the space of this file if necessary. Without it even deletions would fail, because they are
/// written to the log first. Used by one thread at a time, except for <see cref="Reason"/>.
/// </summary>
internal sealed class DiskReserve(string directory, long bytes, ILogger logger)
{
    private const int BlockBytes = 256 << 10;

    private readonly string _path = Path.Combine(directory, "embeddings.reserve");
    private volatile string? _reason;

    /// <summary>The reason that the store accepts only deletions, one sentence; null if it accepts all writes.</summary>
    public string? Reason => _reason;

    private long Least => bytes / 8;

    /// <summary>True if the disk has hardly any space besides the reserve.</summary>
    public bool IsScarce => Free() < Least;

    /// <summary>Records that a write failed because the disk is full.</summary>
    public void DiskFull()
    {
        if (_reason is null)
        {
            _reason = $"The disk of '{directory}' is full; free space or delete points. Reads and deletions continue.";
            logger.DiskFull(_reason);
        }
    }

    /// <summary>Makes the held space available for a deletion or for the start.</summary>
    public void Release()
    {
        try
        {
            File.Delete(_path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The write that needs the space fails and reports the reason.
        }
    }

    /// <summary>
    /// Holds the space again, as far as half of what is free is enough, and ends the state of a full disk if there is
    /// space for more.
    /// </summary>
    /// <param name="afterDeletion">
    /// True if points were deleted. The database then has room for others without growing, and only the log needs space:
    /// it gets half of the reserve.
    /// </param>
    public void Restore(bool afterDeletion = false)
    {
        var held = Held();
        var free = Free();
        var wanted = Math.Min(bytes, afterDeletion ? (held + free) / 2 : held + (free / 2));
        if (wanted < held || wanted - held >= Math.Clamp(bytes - held, 1, BlockBytes))
        {
            held = Resize(held, wanted);
        }

        if (held < (afterDeletion ? Least : bytes) || IsScarce)
        {
            DiskFull();
        }
        else if (_reason is not null)
        {
            _reason = null;
            logger.DiskHasSpace(directory);
        }
    }

    private long Held() => new FileInfo(_path) is { Exists: true } file ? file.Length : 0;

    private long Resize(long held, long wanted)
    {
        // Not zeros, for which some file systems allocate nothing.
        var block = new byte[BlockBytes];
        Random.Shared.NextBytes(block);
        try
        {
            using var file = new FileStream(_path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, 0);
            file.SetLength(Math.Min(held, wanted));
            file.Position = file.Length;
            while (file.Position < wanted)
            {
                file.Write(block, 0, (int)Math.Min(block.Length, wanted - file.Position));
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The disk filled up in the meantime: what was written counts.
        }

        return Held();
    }

    // A quota or a file system without this information shows only in failing writes.
    private long Free()
    {
        try
        {
            var path = Path.GetFullPath(directory);
            return new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(path)! : path).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue / 2;
        }
    }
}
