using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Embeddings.V1;
using Google.Protobuf;
using Google.Protobuf.Collections;

namespace Embeddings.Client;

/// <summary>
/// Reads vectors from messages and writes them. A message has a vector either as numbers or as bytes (little-endian
/// float32), which cost less: <c>values</c> or <c>values_f32</c>, <c>vector</c> or <c>vector_f32</c>.
/// </summary>
public static class VectorExtensions
{
    /// <summary>Returns the vector of an embedding in either form. Not copied.</summary>
    /// <param name="embedding">Embedding to read.</param>
    /// <returns>The values, to be used until the embedding is modified; <c>ToArray</c> copies them.</returns>
    public static ReadOnlySpan<float> GetVector(this Embedding embedding)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        return Read(embedding.ValuesF32, embedding.Values);
    }

    /// <summary>Returns the vector of a point in either form. Not copied.</summary>
    /// <param name="point">Point to read.</param>
    /// <returns>
    /// The values, to be used until the point is modified; <c>ToArray</c> copies them. Empty if the point has no vector.
    /// </returns>
    public static ReadOnlySpan<float> GetVector(this VectorPoint point)
    {
        ArgumentNullException.ThrowIfNull(point);
        return Read(point.VectorF32, point.Vector);
    }

    /// <summary>
    /// Sets the vector of a point as bytes. Servers of an earlier version do not read them and reject the point: set
    /// <c>Vector</c> instead.
    /// </summary>
    /// <param name="point">Point to change.</param>
    /// <param name="vector">Values, one per dimension of the collection. Copied once.</param>
    public static void SetVector(this VectorPoint point, ReadOnlySpan<float> vector)
    {
        ArgumentNullException.ThrowIfNull(point);
        point.Vector.Clear();
        point.VectorF32 = Bytes(vector);
    }

    /// <summary>
    /// Sets the vector of a query as bytes. Servers of an earlier version do not read them and reject the query: set
    /// <c>Values</c> instead.
    /// </summary>
    /// <param name="query">Query to change.</param>
    /// <param name="vector">Values, one per dimension of the collection. Copied once.</param>
    public static void SetVector(this QueryVector query, ReadOnlySpan<float> vector)
    {
        ArgumentNullException.ThrowIfNull(query);
        query.Values.Clear();
        query.ValuesF32 = Bytes(vector);
    }

    private static ReadOnlySpan<float> Read(ByteString bytes, RepeatedField<float> values)
    {
        if (bytes.IsEmpty)
        {
            return UnsafeCollectionOperations.AsSpan(values);
        }

        if (BitConverter.IsLittleEndian)
        {
            return MemoryMarshal.Cast<byte, float>(bytes.Span);
        }

        var copy = new int[bytes.Length / sizeof(float)];
        BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<byte, int>(bytes.Span), copy);
        return MemoryMarshal.Cast<int, float>(copy);
    }

    private static ByteString Bytes(ReadOnlySpan<float> vector)
    {
        if (BitConverter.IsLittleEndian)
        {
            return ByteString.CopyFrom(MemoryMarshal.AsBytes(vector));
        }

        var copy = new int[vector.Length];
        BinaryPrimitives.ReverseEndianness(MemoryMarshal.Cast<float, int>(vector), copy);
        return ByteString.CopyFrom(MemoryMarshal.AsBytes(copy.AsSpan()));
    }
}
