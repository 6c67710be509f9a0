using System.Runtime.InteropServices;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Native memory aligned to 64 bytes, the size of a cache line and of the widest SIMD register. A safe handle: it is
/// freed exactly once, not before the last <see cref="SafeHandle.DangerousAddRef"/> is released, and also if it is
/// never disposed.
/// </summary>
internal sealed unsafe partial class AlignedBuffer : SafeHandle
{
    public const int Alignment = 64;

    // The page size above 4 KiB on Linux for x64 and ARM64, and the value of MADV_HUGEPAGE there (madvise(2)).
    private const int HugePage = 2 << 20;
    private const int AdviseHugePage = 14;

    /// <summary>Allocates memory with undefined content; pages are committed when they are first written.</summary>
    public AlignedBuffer(nuint bytes)
        : this(bytes, bytes, Alignment)
    {
    }

    private AlignedBuffer(nuint bytes, nuint allocated, nuint alignment)
        : base(0, ownsHandle: true)
    {
        Bytes = bytes;
        SetHandle((nint)NativeMemory.AlignedAlloc(allocated, alignment));
    }

    public nuint Bytes { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>The first byte; valid until disposal, so the owner must outlive every use.</summary>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>The first float.</summary>
    public float* Floats => (float*)Address;

    /// <summary>
    /// Allocates zeroed floats that are read again and again: in huge pages if there are megabytes of them.
    /// </summary>
    public static AlignedBuffer ZeroedFloats(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        var bytes = (nuint)length * sizeof(float);
        var buffer = OperatingSystem.IsLinux() && bytes > HugePage / 2 ? HugePages(bytes) : new(bytes);
        NativeMemory.Clear((void*)buffer.handle, buffer.Bytes);
        return buffer;
    }

    /// <summary>The whole buffer.</summary>
    public Span<T> AsSpan<T>()
        where T : unmanaged => Slice<T>(0, checked((int)(Bytes / (nuint)sizeof(T))));

    /// <summary>A range of the buffer, in values.</summary>
    public Span<T> Slice<T>(nuint start, int length)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((start + (nuint)length) * (nuint)sizeof(T), Bytes);
        return new((T*)Address + start, length);
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        return true;
    }

    // A huge page takes one page fault instead of 512 and one TLB entry during a search. Only whole pages qualify.
    private static AlignedBuffer HugePages(nuint bytes)
    {
        var allocated = (bytes + HugePage - 1) / HugePage * HugePage;
        var buffer = new AlignedBuffer(bytes, allocated, HugePage);
        // Advice only: a system without huge pages ignores it.
        _ = MemoryAdvise((void*)buffer.handle, allocated, AdviseHugePage);
        return buffer;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(void* address, nuint length, int advice);
}
