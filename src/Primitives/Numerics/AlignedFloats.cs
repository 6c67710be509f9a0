using System.Runtime.InteropServices;

namespace Embeddings.Primitives.Numerics;

/// <summary>
/// Floats outside the collected heap, zeroed, at a multiple of 64 bytes: a whole vector register loads from one cache line, and gigabytes of them cost the
/// collector nothing. Megabytes of them lie in huge pages where the system has any.
/// </summary>
internal sealed unsafe partial class AlignedFloats : IDisposable
{
    /// <summary>Bytes of a cache line and of the widest register.</summary>
    public const int Alignment = 64;

    // What x64 and ARM64 Linux have in one step of their page tables, and the advice's number there (madvise(2)).
    private const int HugePage = 2 << 20;
    private const int AdviseHugePage = 14;

    private float* _pointer;

    public AlignedFloats(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Length = length;
        var bytes = (nuint)length * sizeof(float);
        // A huge page is there with one fault instead of 512, and takes one entry of the TLB while it is searched. It has to be whole.
        var isLarge = OperatingSystem.IsLinux() && bytes > HugePage / 2;
        if (isLarge)
        {
            bytes = (bytes + HugePage - 1) / HugePage * HugePage;
        }
        _pointer = (float*)NativeMemory.AlignedAlloc(bytes, isLarge ? HugePage : (nuint)Alignment);
        if (isLarge)
        {
            // Only advice: a system that has none of them does without.
            _ = MemoryAdvise(_pointer, bytes, AdviseHugePage);
        }
        NativeMemory.Clear(_pointer, bytes);
    }

    ~AlignedFloats() => Free();

    public int Length { get; }

    /// <summary>The first float; valid until disposal, so the owner must outlive every use.</summary>
    public float* Pointer => _pointer;

    public Span<float> Span => new(_pointer, _pointer is null ? 0 : Length);

    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(void* address, nuint length, int advice);

    private void Free()
    {
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
    }
}
