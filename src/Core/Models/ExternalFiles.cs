using System.Text;
using Google.Protobuf;

namespace Embeddings.Core.Models;

/// <summary>
/// Finds the external weight files that a model refers to. Weights in the model file are skipped without being read, so
/// that even a file of several gigabytes takes only milliseconds.
/// </summary>
internal sealed class ExternalFiles
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

    private readonly SortedSet<string> _found = new(StringComparer.Ordinal);
    private readonly FileStream _stream;
    private CodedInputStream _input;

    private ExternalFiles(FileStream stream)
    {
        _stream = stream;
        _input = new(stream, leaveOpen: true);
    }

    private enum Kind
    {
        Skip,
        Model,
        Graph,
        Node,
        Attribute,
        Tensor,
        Entry,
    }

    // That of the stream, less what is buffered.
    private long Position => _input.Position;

    /// <summary>
    /// Returns the locations of the files as stored in the model, relative to the model's folder and in ordinal order.
    /// Empty if all weights are in the model file.
    /// </summary>
    /// <param name="path">Path of the model file.</param>
    /// <exception cref="InvalidDataException">The file is not an ONNX model.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<string> Of(string path)
    {
        // CodedInputStream has a buffer of its own.
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        var files = new ExternalFiles(stream);
        try
        {
            files.Walk(stream.Length, Kind.Model, depth: 0);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"The file is not an ONNX model: {e.Message}", e);
        }
        return [.. files._found];
    }

    private static Kind Child(Kind kind, int field) => (kind, field) switch
    {
        (Kind.Model, ModelGraph) => Kind.Graph,
        (Kind.Graph, GraphNode) => Kind.Node,
        (Kind.Graph, GraphInitializer) => Kind.Tensor,
        (Kind.Node, NodeAttribute) => Kind.Attribute,
        (Kind.Attribute, AttributeTensor or AttributeTensors) => Kind.Tensor,
        (Kind.Attribute, AttributeGraph or AttributeGraphs) => Kind.Graph,
        (Kind.Tensor, TensorExternalData) => Kind.Entry,
        _ => Kind.Skip,
    };

    private static InvalidDataException FieldTooLong() =>
        new("The file is not an ONNX model: a field extends beyond the end of its message.");

    private void Walk(long end, Kind kind, int depth)
    {
        if (depth > MaxDepth)
        {
            throw new InvalidDataException(
                $"The file is not an ONNX model: its graphs are nested more than {MaxDepth} levels deep.");
        }
        var (key, value) = ("", "");
        while (Position < end)
        {
            var tag = _input.ReadTag();
            var field = WireFormat.GetTagFieldNumber(tag);
            var child = Child(kind, field);
            if (WireFormat.GetTagWireType(tag) != WireFormat.WireType.LengthDelimited
                || (child == Kind.Skip && kind is not (Kind.Tensor or Kind.Entry)))
            {
                _input.SkipLastField();
                continue;
            }
            var length = _input.ReadUInt64();
            if (Position > end || length > (ulong)(end - Position))
            {
                throw FieldTooLong();
            }
            var next = Position + (long)length;
            if (child != Kind.Skip)
            {
                Walk(next, child, depth + 1);
            }
            else if (kind == Kind.Entry && field == EntryKey)
            {
                key = Text(length);
            }
            else if (kind == Kind.Entry && field == EntryValue)
            {
                value = Text(length);
            }
            MoveTo(next);
        }
        if (Position > end)
        {
            throw FieldTooLong();
        }
        if (key == "location")
        {
            _found.Add(value);
        }
    }

    private string Text(ulong length)
    {
        if (length > MaxLocationBytes)
        {
            throw new InvalidDataException(
                $"The file is not an ONNX model: an external_data entry must have at most {MaxLocationBytes} bytes; got {length}.");
        }
        var bytes = new byte[length];
        _stream.Position = Position;
        _stream.ReadExactly(bytes);
        _input = new(_stream, leaveOpen: true);
        return Encoding.UTF8.GetString(bytes);
    }

    // CodedInputStream would read what it skips, and at most 2 GiB: a new one starts after the tensor's data instead.
    private void MoveTo(long position)
    {
        if (position != Position)
        {
            _stream.Position = position;
            _input = new(_stream, leaveOpen: true);
        }
    }
}
