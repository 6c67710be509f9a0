using Google.Protobuf;

namespace Embeddings.Tooling.Onnx;

/// <summary>Reads and writes model files as data, without running them. External weight files are not read.</summary>
public static class OnnxFile
{
    /// <summary>Reads a model file.</summary>
    /// <exception cref="InvalidDataException">The file is not an ONNX model.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static ModelProto Load(string path)
    {
        using var stream = File.OpenRead(path);
        return Load(stream);
    }

    /// <summary>Reads a model from a stream, up to the end of the stream.</summary>
    /// <exception cref="InvalidDataException">The file is not an ONNX model.</exception>
    public static ModelProto Load(Stream stream)
    {
        ModelProto model;
        try
        {
            model = ModelProto.Parser.ParseFrom(stream);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidDataException($"The file is not an ONNX model: {e.Message}", e);
        }
        // Arbitrary bytes can be a valid Protocol Buffers message, but every model has a graph.
        return model.Graph is null
            ? throw new InvalidDataException("The file is not an ONNX model: it has no graph.")
            : model;
    }

    /// <summary>Writes a model file. An existing file is overwritten.</summary>
    public static void Save(ModelProto model, string path)
    {
        ArgumentNullException.ThrowIfNull(model);
        File.WriteAllBytes(path, ToBytes(model));
    }

    /// <summary>Returns the content of the model file. The same model always gives the same bytes.</summary>
    public static byte[] ToBytes(ModelProto model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.ToByteArray();
    }
}
