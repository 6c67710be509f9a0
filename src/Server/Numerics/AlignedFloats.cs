using System.Runtime.InteropServices;

namespace Embeddings.Server.Numerics;

/// <summary>
/// Floats outside the collected heap, zeroed, at a multiple of 64 bytes: a whole vector register loads from one cache line, and gigabytes of them cost the
/// collector nothing.
/// </summary>
internal sealed unsafe class AlignedFloats : IDisposable
{
    /// <summary>Bytes of a cache line and of the widest register.</summary>
    public const int Alignment = 64;

    private float* _pointer;

    public AlignedFloats(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        Length = length;
        var bytes = (nuint)length * sizeof(float);
        _pointer = (float*)NativeMemory.AlignedAlloc(bytes, Alignment);
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

    private void Free()
    {
        NativeMemory.AlignedFree(_pointer);
        _pointer = null;
    }
}
