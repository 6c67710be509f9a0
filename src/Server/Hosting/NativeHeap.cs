using System.Runtime.InteropServices;

namespace Embeddings.Server.Hosting;

/// <summary>Memory of native libraries: libvips for images, ONNX Runtime for batches.</summary>
internal static partial class NativeHeap
{
    // mallopt(3).
    private const int TrimThreshold = -1;
    private const int MapThreshold = -3;
    private const int MaxHeaps = -8;

    /// <summary>
    /// Limits the C library to one heap per processor, at least two. By default, glibc creates up to eight per processor, one
    /// for each thread that allocates while the others are in use, and a heap returns only the free memory at its end: after
    /// loads of large images, a server with two processors kept 215 to 230 MiB, and keeps 185 to 195 MiB with this limit. Call
    /// it before other threads allocate: heaps that exist stay. <c>MALLOC_ARENA_MAX</c> in the environment takes precedence.
    /// </summary>
    public static void LimitHeaps()
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                _ = Set(MaxHeaps, "MALLOC_ARENA_MAX", Math.Max(2, Environment.ProcessorCount));
            }
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library.
        }
    }

    /// <summary>
    /// Makes the C library return large blocks to the system when they are freed: blocks of 4 MB or more at once,
    /// smaller ones when 8 MB of them are unused. By default, glibc raises both limits with the blocks it sees, to 32
    /// and 64 MB for each of its heaps, and creates eight heaps per processor: a server with two processors took 675 MB
    /// after a minute of photos, and takes 450 MB with these limits (530 MB after five minutes), at the same
    /// throughput. <c>MALLOC_MMAP_THRESHOLD_</c> and <c>MALLOC_TRIM_THRESHOLD_</c> in the environment take precedence.
    /// </summary>
    /// <returns>True if the limits are set; C libraries other than glibc have none.</returns>
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

    /// <summary>
    /// Collects all garbage and makes the garbage collector and the C library return what is free to the system.
    /// </summary>
    public static void Return()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        try
        {
            if (OperatingSystem.IsLinux())
            {
                _ = Trim(0);
            }
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library.
        }
    }

    private static bool Set(int option, string variable, int value) =>
        Environment.GetEnvironmentVariable(variable) is not null || SetOption(option, value) == 1;

    // malloc_trim(3): what was freed before the limits were set.
    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int Trim(nuint pad);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    private static partial int SetOption(int option, int value);
}
