using System.Text;
using Google.Protobuf;

namespace Embeddings.Core.Models;

/// <summary>
/// Finds the files that hold a model's weights beside it. The model's own weights are skipped, not read, so that a file of gigabytes takes milliseconds.
/// </summary>
public static class ExternalFiles
{
    // Field numbers of the messages on the way to a tensor's external_data: see onnx.proto.
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

    private enum Kind
    {
        Skip,
        Model,
        Graph,
        Node,
        Attribute,
        Tensor,
    }

    /// <summary>Their locations as the model gives them, relative to its folder, in ordinal order; empty where all weights are in the file.</summary>
    /// <exception cref="InvalidDataException">It is not an ONNX model.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
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
            throw new InvalidDataException("not an ONNX model: it ends within a field", e);
        }
        return [.. found];
    }

    private static void Walk(Stream stream, long end, Kind kind, SortedSet<string> found, int depth)
    {
        if (depth > 64)
        {
            throw new InvalidDataException("not an ONNX model: its graphs lie too deep in each other");
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
                throw new InvalidDataException("not an ONNX model: a field is longer than the file");
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
            if (length < 0 || length > end - stream.Position || length > 4096)
            {
                throw new InvalidDataException("not an ONNX model: the name of a weights file is too long");
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
                throw new InvalidDataException("not an ONNX model: it is not protobuf");
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
        throw new InvalidDataException("not an ONNX model: a number is too long");
    }
}
