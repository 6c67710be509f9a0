using System.Globalization;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>
/// A memory limit for a server process: a control group, in which the kernel kills a process that takes more. Where control
/// groups cannot be created, the server gets the limit as a setting, and the test compares its peak with it.
/// </summary>
internal sealed class MemoryLimit : IDisposable
{
    private readonly string? _group;

    public MemoryLimit(long bytes)
    {
        Bytes = bytes;
        _group = TryCreate(bytes);
    }

    public long Bytes { get; }

    /// <summary>The group's list of processes; null if there is no group.</summary>
    public string? Processes => _group is null ? null : Path.Combine(_group, "cgroup.procs");

    /// <summary>Settings of the server: none in a group, where it has to find the limit itself.</summary>
    public string[] Settings => _group is null ? [string.Create(CultureInfo.InvariantCulture, $"--Memory:LimitBytes={Bytes}")] : [];

    /// <summary>The most memory that the process has had resident, bytes.</summary>
    public static long Peak(int processId)
    {
        var line = File.ReadLines($"/proc/{processId}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }

    public void Dispose()
    {
        if (_group is not null)
        {
            // Fails while the last pages are still accounted; an empty group does no harm.
            Record.Exception(() => Directory.Delete(_group));
        }
    }

    private static string? TryCreate(long bytes)
    {
        try
        {
            foreach (var (root, file) in (IEnumerable<(string, string)>)[("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")])
            {
                var group = Path.Combine(root, $"embeddings-test-{Guid.NewGuid():N}");
                if (Directory.Exists(root) && Directory.CreateDirectory(group) is { Exists: true } && File.Exists(Path.Combine(group, file)))
                {
                    File.WriteAllText(Path.Combine(group, file), bytes.ToString(CultureInfo.InvariantCulture));
                    return group;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not allowed here.
        }
        return null;
    }
}
