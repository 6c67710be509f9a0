using System.Security.Cryptography;
using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Benchmarks.Models;

/// <summary>A benchmark model on disk, in a folder of its own so that a server loads no other.</summary>
internal sealed record BenchModel
{
    public required ModelManifest Manifest { get; init; }

    /// <summary>The folder that holds its two files.</summary>
    public required string Directory { get; init; }

    public string File => Path.Combine(Directory, Manifest.Name + ".onnx");

    /// <summary>Bytes of a raw picture of its size.</summary>
    public int PixelBytes => Manifest.Input.TensorLength;

    public static BenchModel MobileFaceNet(string directory) => Default(directory, "mobilefacenet");

    public static BenchModel ResNet18(string directory) => Default(directory, "resnet18");

    public static BenchModel Free(string directory) => Write(directory, "bench-free", ModelKind.Face, 112, 64, Networks.Free);

    /// <summary>One of the default models; in a folder of its own like all others.</summary>
    public static BenchModel Default(string directory, string name)
    {
        var folder = Path.Combine(directory, "models", name);
        var source = Path.Combine(AppContext.BaseDirectory, "models");
        if (!System.IO.File.Exists(Path.Combine(source, name + ".onnx")))
        {
            throw new BenchException($"the default model {name} is missing from {source}; ./build.sh models prepares it");
        }
        System.IO.Directory.CreateDirectory(folder);
        foreach (var file in System.IO.Directory.GetFiles(source, name + ".*"))
        {
            System.IO.File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
        }
        return new BenchModel { Directory = folder, Manifest = ManifestFile.Read(Path.Combine(folder, name + ".json")) };
    }

    /// <summary>The same model with another way to decode JPEG files, under a name of its own.</summary>
    public BenchModel WithDecode(string directory, DecodeMode decode)
    {
        var name = $"{Manifest.Name}-{ManifestFile.Word(decode)}";
        var folder = Path.Combine(directory, "models", name);
        System.IO.Directory.CreateDirectory(folder);
        foreach (var file in System.IO.Directory.GetFiles(Directory, Manifest.Name + ".*"))
        {
            // The model file names its weight files, which keep their names therefore.
            var isModel = Path.GetExtension(file) == ".onnx";
            System.IO.File.Copy(file, Path.Combine(folder, isModel ? name + ".onnx" : Path.GetFileName(file)), overwrite: true);
        }
        System.IO.File.Delete(Path.Combine(folder, Manifest.Name + ".json"));
        var model = this with
        {
            Directory = folder,
            Manifest = Manifest with { Name = name, Input = Manifest.Input with { Decode = decode } },
        };
        System.IO.File.WriteAllBytes(Path.ChangeExtension(model.File, ".json"), ManifestFile.Write(model.Manifest));
        return model;
    }

    private static BenchModel Write(string directory, string name, ModelKind kind, int size, int maxBatch, Func<Network> build)
    {
        var folder = Path.Combine(directory, "models", name);
        System.IO.Directory.CreateDirectory(folder);
        var network = build();
        var bytes = OnnxFile.ToBytes(network.Build());
        var model = new BenchModel
        {
            Directory = folder,
            Manifest = new ModelManifest
            {
                Name = name,
                Kind = kind,
                Input = new InputSpec { Width = size, Height = size, Mean = [127.5f, 127.5f, 127.5f], Std = [127.5f, 127.5f, 127.5f] },
                Dimension = Networks.Dimension,
                UnitLength = kind == ModelKind.Face,
                MaxBatch = maxBatch,
                Licence = "Apache-2.0",
                Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)),
                Description = $"Random weights: {network.Parameters:N0} parameters, {network.Multiplications:N0} multiplications. For benchmarks alone.",
            },
        };
        System.IO.File.WriteAllBytes(model.File, bytes);
        System.IO.File.WriteAllBytes(Path.ChangeExtension(model.File, ".json"), ManifestFile.Write(model.Manifest));
        return model;
    }
}
