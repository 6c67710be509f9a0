using System.Buffers.Binary;
using System.Runtime.InteropServices;
using CommunityToolkit.HighPerformance;

namespace Embeddings.Primitives.Numerics;

/// <summary>Floats as bytes on the wire: IEEE 754 float32, little-endian, whatever the byte order of the machine is.</summary>
internal static class LittleEndianFloats
{
    /// <summary>Reads values from bytes.</summary>
    /// <param name="bytes">The bytes: four per value. Any alignment.</param>
    /// <param name="values">The values.</param>
    public static void Read(ReadOnlySpan<byte> bytes, Span<float> values)
    {
        bytes.CopyTo(MemoryMarshal.AsBytes(values));
        Reverse(MemoryMarshal.Cast<float, int>(values));
    }

    /// <summary>Writes values to bytes.</summary>
    /// <param name="values">The values.</param>
    /// <param name="bytes">The bytes: four per value, aligned.</param>
    public static void Write(ReadOnlySpan<float> values, Span<byte> bytes)
    {
        MemoryMarshal.AsBytes(values).CopyTo(bytes);
        Reverse(MemoryMarshal.Cast<byte, int>(bytes));
    }

    /// <summary>The values of bytes, without a copy on a little-endian machine.</summary>
    /// <param name="bytes">The bytes: four per value, at the start of an array. They must not change.</param>
    public static ReadOnlyMemory<float> Values(ReadOnlyMemory<byte> bytes)
    {
        if (BitConverter.IsLittleEndian)
        {
            return bytes.Cast<byte, float>();
        }

        var values = new float[bytes.Length / sizeof(float)];
        Read(bytes.Span, values);
        return values;
    }

    /// <summary>The bytes of values, without a copy on a little-endian machine.</summary>
    /// <param name="values">The values. They must not change.</param>
    public static ReadOnlyMemory<byte> Bytes(ReadOnlyMemory<float> values)
    {
        if (BitConverter.IsLittleEndian)
        {
            return values.Cast<float, byte>();
        }

        var bytes = new byte[values.Length * sizeof(float)];
        Write(values.Span, bytes);
        return bytes;
    }

    private static void Reverse(Span<int> values)
    {
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(values, values);
        }
    }
}
