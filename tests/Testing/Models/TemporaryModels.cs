using System.Security.Cryptography;
using Embeddings.Core;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Testing.Models;

/// <summary>Small real models made on the spot, each in a folder of its own that goes with it.</summary>
internal sealed class TemporaryModels : IDisposable
{
    public const TensorProto.Types.DataType Float = TensorProto.Types.DataType.Float;
    public const TensorProto.Types.DataType Half = TensorProto.Types.DataType.Float16;

    private readonly TempFolder _folder = new();

    public string Folder => _folder.Path;

    public static ModelManifest Manifest(int width, int height, int dimension, string name = "test") => new()
    {
        Name = name,
        Kind = ModelKind.Image,
        Input = new() { Width = width, Height = height },
        Dimension = dimension,
        MaxBatch = 8,
        Sha256 = new string('0', 64),
    };

    /// <summary>Writes graph and manifest; the manifest's checksum is put right.</summary>
    public string Save(ModelProto model, ModelManifest manifest)
    {
        var path = Path.Combine(Folder, manifest.Name + ".onnx");
        OnnxFile.Save(model, path);
        WriteManifest(path, manifest);
        return path;
    }

    /// <summary>Copies a model file here and writes a manifest for it.</summary>
    public string Copy(string from, ModelManifest manifest)
    {
        var path = Path.Combine(Folder, manifest.Name + ".onnx");
        File.Copy(from, path, overwrite: true);
        WriteManifest(path, manifest);
        return path;
    }

    /// <summary>Saves and loads.</summary>
    public EmbeddingSession Load(ModelProto model, ModelManifest manifest, InferenceOptions? options = null) =>
        ModelLoader.Load(Save(model, manifest), options ?? new InferenceOptions());

    /// <summary>The vector of each channel's mean: [batch, 3, height, width] to [batch, 3].</summary>
    public static ModelProto ChannelMeans(long height, long width, string input = "input", string output = "output", long batch = 0)
    {
        var graph = new GraphBuilder("means");
        graph.Input(input, Float, batch, 3, height, width);
        graph.Node("Flatten", [graph.Node("GlobalAveragePool", [input])], [output]);
        graph.Output(output, Float, batch, 3);
        return graph.Build();
    }

    public void Dispose() => _folder.Dispose();

    private static void WriteManifest(string path, ModelManifest manifest)
    {
        byte[] content = File.ReadAllBytes(path);
        var right = manifest with { Sha256 = Convert.ToHexStringLower(SHA256.HashData(content)) };
        try
        {
            right = right with { DataSha256 = ModelFile.DataSha256(path, ModelFile.DataFiles(path)) };
        }
        catch (ModelException)
        {
            // Some are no models on purpose.
        }
        File.WriteAllBytes(Path.ChangeExtension(path, ".json"), ManifestFile.Write(right));
    }
}
