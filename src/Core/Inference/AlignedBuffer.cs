using System.Runtime.InteropServices;

namespace Embeddings.Core.Inference;

/// <summary>
/// Native memory aligned to 64 bytes (a cache line, the widest SIMD register). A safe handle, so that it is freed once, not
/// before a run that holds it ends, and even if it is never disposed.
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

    /// <summary>The address, valid until this is disposed.</summary>
    public nint Address
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>A part of the memory, in values.</summary>
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
