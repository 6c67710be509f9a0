using System.Runtime.CompilerServices;

namespace Embeddings.Testing;

/// <summary>A file system of a few megabytes, in memory, that a test can fill. Disposing unmounts it.</summary>
public sealed class SmallDisk : IAsyncDisposable
{
    private readonly TempFolder _folder = new();

    private SmallDisk()
    {
    }

    /// <summary>The reason why tests with it are skipped, or null.</summary>
    public static string? Missing { get; } = OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess
        ? null
        : "mounting a file system needs root on Linux";

    public string Path => _folder.Path;

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk();
        await RunAsync("mount", "-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", disk.Path);
        return disk;
    }

    /// <summary>Writes a file until the disk is full.</summary>
    public void Fill()
    {
        using var file = new FileStream(Filler, FileMode.Append, FileAccess.Write, FileShare.None, 0);
        var block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            // Full.
        }
    }

    /// <summary>Removes the file that fills the disk.</summary>
    public void Free() => File.Delete(Filler);

    public Task MakeReadOnlyAsync() => RunAsync("mount", "-o", "remount,ro", Path);

    public async ValueTask DisposeAsync()
    {
        await RunAsync("umount", "--lazy", Path);
        _folder.Dispose();
    }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    private static async Task RunAsync(string program, params string[] arguments)
    {
        var (code, output) = await ChildProcess.RunAsync(program, arguments);
        if (code != 0)
        {
            throw new InvalidOperationException($"{program} failed: {output}");
        }
    }
}

/// <summary>A test that fills a file system of its own; skipped with the reason without root.</summary>
public sealed class SmallDiskFactAttribute : FactAttribute
{
    public SmallDiskFactAttribute([CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber) => Skip = SmallDisk.Missing;
}
