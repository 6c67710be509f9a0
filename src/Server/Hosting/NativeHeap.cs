using System.Runtime.InteropServices;

namespace Embeddings.Server.Hosting;

/// <summary>The memory that native libraries take: libvips for pictures, ONNX Runtime for batches.</summary>
internal static partial class NativeHeap
{
    // mallopt(3).
    private const int TrimThreshold = -1;
    private const int MapThreshold = -3;

    /// <summary>
    /// Has the C library give large blocks back to the system when they are freed: those of four megabytes or more at once, smaller ones when eight megabytes of
    /// them lie unused. glibc, left alone, raises both limits with the blocks it sees, to 32 and 64 MB for each of its heaps, of which it makes eight for a
    /// processor: a server of two processors took 675 MB after a minute of photographs, and takes 450 MB so (530 MB after five), at the same rate.
    /// <c>MALLOC_MMAP_THRESHOLD_</c> and <c>MALLOC_TRIM_THRESHOLD_</c> in the environment go before it.
    /// </summary>
    /// <returns>Whether there was something to set: other C libraries than glibc have no such limits.</returns>
    public static bool Limit()
    {
        try
        {
            if (!OperatingSystem.IsLinux() || !Set(MapThreshold, "MALLOC_MMAP_THRESHOLD_", 4 << 20) || !Set(TrimThreshold, "MALLOC_TRIM_THRESHOLD_", 8 << 20))
            {
                return false;
            }
            _ = Trim(0);
            return true;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private static bool Set(int option, string variable, int bytes) =>
        Environment.GetEnvironmentVariable(variable) is not null || SetOption(option, bytes) == 1;

    // malloc_trim(3): what was freed before the limits were set.
    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);
}
