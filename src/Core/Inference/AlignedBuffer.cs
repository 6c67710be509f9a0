using System.Runtime.InteropServices;

namespace Embeddings.Core.Inference;

/// <summary>
/// Native memory on a 64-byte border (a cache line, the widest SIMD register). A handle, so that it is freed once, not before a run that holds it ends,
/// and even when forgotten.
/// </summary>
internal sealed unsafe class AlignedBuffer : SafeHandle
{
    private const nuint Alignment = 64;

    public AlignedBuffer(nuint bytes)
        : base(0, ownsHandle: true)
    {
        Bytes = bytes;
        SetHandle((nint)NativeMemory.AlignedAlloc(bytes, Alignment));
        GC.AddMemoryPressure((long)bytes);
    }

    public nuint Bytes { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>Valid until it is disposed.</summary>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>A part of it, counted in values.</summary>
    public Span<T> Slice<T>(nuint start, int length)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((start + (nuint)length) * (nuint)sizeof(T), Bytes);
        return new((T*)Address + start, length);
    }

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        GC.RemoveMemoryPressure((long)Bytes);
        return true;
    }
}
