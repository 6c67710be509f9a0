using Google.Protobuf;

namespace Embeddings.Tooling.Onnx;

/// <summary>Reads and writes model files as data; nothing is run, and weights kept in other files are not read.</summary>
public static class OnnxFile
{
    /// <summary>Reads a model file.</summary>
    /// <exception cref="InvalidDataException">It is not an ONNX model.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ModelProto Load(string path)
    {
        using var stream = File.OpenRead(path);
        return Load(stream);
    }

    /// <summary>Reads a model from a stream, to its end.</summary>
    /// <exception cref="InvalidDataException">It is not an ONNX model.</exception>
    public static ModelProto Load(Stream stream)
    {
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(stream);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"not an ONNX model: {e.Message}", e);
        }
        // Any bytes that happen to be well-formed protobuf parse; a model has a graph.
        return model.Graph is null ? throw new InvalidDataException("not an ONNX model: it has no graph") : model;
    }

    /// <summary>Writes a model file, replacing what is there.</summary>
    public static void Save(ModelProto model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        File.WriteAllBytes(path, ToBytes(model));
    }

    /// <summary>The file's bytes: the same for the same model, every time.</summary>
    public static byte[] ToBytes(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.ToByteArray();
    }
}
