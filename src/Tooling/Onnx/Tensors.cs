using System.Runtime.InteropServices;
using Google.Protobuf;

namespace Embeddings.Tooling.Onnx;

/// <summary>Makes constants.</summary>
public static class Tensors
{
    /// <summary>float32, row-major, kept as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">There are not as many values as the shape has.</exception>
    public static TensorProto Floats(string name, ReadOnlySpan<float> values, params ReadOnlySpan<long> shape) =>
        Make(name, TensorProto.Types.DataType.Float, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>int64, row-major, kept as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">There are not as many values as the shape has.</exception>
    public static TensorProto Longs(string name, ReadOnlySpan<long> values, params ReadOnlySpan<long> shape) =>
        Make(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(values), values.Length, shape);

    /// <summary>float16, row-major, kept as little-endian bytes.</summary>
    /// <exception cref="ArgumentException">There are not as many values as the shape has.</exception>
    public static TensorProto Halves(string name, ReadOnlySpan<Half> values, params ReadOnlySpan<long> shape) =>
        Make(name, TensorProto.Types.DataType.Float16, MemoryMarshal.AsBytes(values), values.Length, shape);

    private static TensorProto Make(string name, TensorProto.Types.DataType type, ReadOnlySpan<byte> bytes, int count, ReadOnlySpan<long> shape)
    {
        long product = 1;
        foreach (var size in shape)
        {
            product = checked(product * size);
        }
        if (product != count)
        {
            throw new ArgumentException($"{name}: {count} values for a shape of {product}", nameof(shape));
        }
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException("ONNX keeps bytes little-endian; this machine does not");
        }
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(bytes) };
        tensor.Dims.AddRange(shape.ToArray());
        return tensor;
    }
}
