using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Embeddings.Tooling.Onnx;

/// <summary>Creates constant tensors.</summary>
public static class Tensors
{
    /// <summary>Creates a float32 tensor from values in row-major order, stored as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">The number of values does not match the shape.</exception>
    public static TensorProto Floats(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        Make(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>Creates an int64 tensor from values in row-major order, stored as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">The number of values does not match the shape.</exception>
    public static TensorProto Longs(string name, ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) =>
        Make(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>Creates a float16 tensor from values in row-major order, stored as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">The number of values does not match the shape.</exception>
    public static TensorProto Halves(string name, ReadOnlySpan<Half> values, params ReadOnlySpan<long> shape) =>
        Make(name, TensorProto.Types.DataType.Float16, MemoryMarshal.AsBytes(values), values.Length, shape);

    private static TensorProto Make(
        string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> bytes, int count, ReadOnlySpan<long> shape)
    {
        long product = 1;
        foreach (var size in shape)
        {
            product = checked(product * size);
        }
        if (product != count)
        {
            throw new ArgumentException(
                $"Tensor '{name}' must have {product} values to match its shape; got {count}.", nameof(shape));
        }
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException("ONNX files are little-endian; big-endian machines are not supported.");
        }
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.AddRange(shape.ToArray());
        return tensor;
    }
}
