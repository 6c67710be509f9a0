using System.Text;
using Google.Protobuf;

namespace Embeddings.Core.Models;

/// <summary>
/// Finds the external weight files that a model refers to. Weights in the model file are skipped without being read, so
/// that even a file of several gigabytes takes only milliseconds.
/// </summary>
public static class ExternalFiles
{
    // Field numbers of the messages that lead to the external_data of a tensor; see onnx.proto.
    private const int ModelGraph = 7;
    private const int GraphNode = 1;
    private const int GraphInitializer = 5;
    private const int NodeAttribute = 5;
    private const int AttributeTensor = 5;
    private const int AttributeGraph = 6;
    private const int AttributeTensors = 10;
    private const int AttributeGraphs = 11;
    private const int TensorExternalData = 13;
    private const int EntryKey = 1;
    private const int EntryValue = 2;

    private const int MaxDepth = 64;
    private const int MaxLocationBytes = 4096;

    private enum Kind
    {
        Skip,
        Model,
        Graph,
        Node,
        Attribute,
        Tensor,
    }

    /// <summary>
    /// Returns the locations of the files as stored in the model, relative to the model's folder and in ordinal order.
    /// Empty if all weights are in the model file.
    /// </summary>
    /// <param name="path">Path of the model file.</param>
    /// <exception cref="InvalidDataException">The file is not an ONNX model.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<string> Of(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        var found = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            Walk(stream, stream.Length, Kind.Model, found, 0);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("The file is not an ONNX model: it ends in the middle of a field.", e);
        }
        return [.. found];
    }

    private static void Walk(Stream stream, long end, Kind kind, SortedSet<string> found, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new InvalidDataException($"The file is not an ONNX model: its graphs are nested more than {MaxDepth} levels deep.");
        }
        while (stream.Position < end)
        {
            var tag = ReadVarint(stream);
            var (field, wire) = ((int)(tag >> 3), (WireFormat.WireType)(tag & 7));
            if (wire != WireFormat.WireType.LengthDelimited)
            {
                Skip(stream, wire);
                continue;
            }
            var length = (long)ReadVarint(stream);
            if (length < 0 || length > end - stream.Position)
            {
                throw new InvalidDataException("The file is not an ONNX model: a field extends beyond the end of its message.");
            }
            var next = stream.Position + length;
            if (kind == Kind.Tensor && field == TensorExternalData)
            {
                AddLocation(stream, next, found);
            }
            else if (Child(kind, field) is var child and not Kind.Skip)
            {
                Walk(stream, next, child, found, depth + 1);
            }
            stream.Position = next;
        }
    }

    private static Kind Child(Kind kind, int field) => (kind, field) switch
    {
        (Kind.Model, ModelGraph) => Kind.Graph,
        (Kind.Graph, GraphNode) => Kind.Node,
        (Kind.Graph, GraphInitializer) => Kind.Tensor,
        (Kind.Node, NodeAttribute) => Kind.Attribute,
        (Kind.Attribute, AttributeTensor or AttributeTensors) => Kind.Tensor,
        (Kind.Attribute, AttributeGraph or AttributeGraphs) => Kind.Graph,
        _ => Kind.Skip,
    };

    private static void AddLocation(Stream stream, long end, SortedSet<string> found)
    {
        var (key, value) = ("", "");
        while (stream.Position < end)
        {
            var tag = ReadVarint(stream);
            if ((WireFormat.WireType)(tag & 7) != WireFormat.WireType.LengthDelimited)
            {
                Skip(stream, (WireFormat.WireType)(tag & 7));
                continue;
            }
            var length = (long)ReadVarint(stream);
            if (length < 0 || length > end - stream.Position || length > MaxLocationBytes)
            {
                throw new InvalidDataException(
                    $"The file is not an ONNX model: an external_data entry must have at most {MaxLocationBytes} bytes; got {length}.");
            }
            var bytes = new byte[length];
            stream.ReadExactly(bytes);
            var text = Encoding.UTF8.GetString(bytes);
            (key, value) = (int)(tag >> 3) switch
            {
                EntryKey => (text, value),
                EntryValue => (key, text),
                _ => (key, value),
            };
        }
        if (key == "location")
        {
            found.Add(value);
        }
    }

    private static void Skip(Stream stream, WireFormat.WireType wire)
    {
        switch (wire)
        {
            case WireFormat.WireType.Varint:
                ReadVarint(stream);
                break;
            case WireFormat.WireType.Fixed64:
                stream.Position += 8;
                break;
            case WireFormat.WireType.Fixed32:
                stream.Position += 4;
                break;
            default:
                throw new InvalidDataException("The file is not an ONNX model: it is not a valid Protocol Buffers message.");
        }
    }

    private static ulong ReadVarint(Stream stream)
    {
        ulong result = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = stream.ReadByte();
            if (next < 0)
            {
                throw new EndOfStreamException();
            }
            result |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return result;
            }
        }
        throw new InvalidDataException("The file is not an ONNX model: a varint has more than 10 bytes.");
    }
}
