using System.Security.Cryptography;
using System.Text;
using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.TestModels;

/// <summary>A classical descriptor as a model. The bytes are the same in every run.</summary>
/// <param name="name">Name of the model and of its files.</param>
/// <param name="kind">Kind of the model, as in manifests.</param>
/// <param name="model">The graph.</param>
/// <param name="size">Width and height of its input, pixels.</param>
/// <param name="mean">Mean of each channel.</param>
/// <param name="std">Standard deviation of each channel.</param>
/// <param name="maxBatch">Largest batch.</param>
public sealed class Descriptor(string name, string kind, ModelProto model, int size, string mean, string std, int maxBatch)
{
    /// <summary>Name of the image model.</summary>
    public const string ImageModel = "descriptor-image";

    /// <summary>Name of the face model.</summary>
    public const string FaceModel = "descriptor-face";

    private static readonly Lazy<string> Written = new(WriteAll);

    /// <summary>Directory of both models in the output directory of the tests. Written on first use.</summary>
    public static string Folder => Written.Value;

    /// <summary>
    /// Settings of a server that serves both models instead of the default models, after directories of a lower index.
    /// </summary>
    public static IReadOnlyList<string> Settings => ["--Models:UseDefaults=false", $"--Models:Directories:9={Folder}"];

    /// <summary>Name of the model and of its files.</summary>
    public string Name { get; } = name;

    /// <summary>Content of the <c>.onnx</c> file.</summary>
    public ReadOnlyMemory<byte> Graph { get; } = OnnxFile.ToBytes(model);

    /// <summary>Content of the <c>.json</c> file.</summary>
    public string Manifest =>
        $$"""
        {
          "name": "{{Name}}",
          "kind": "{{kind}}",
          "input": {
            "width": {{size}},
            "height": {{size}},
            "color_order": "rgb",
            "mean": [{{mean}}, {{mean}}, {{mean}}],
            "std": [{{std}}, {{std}}, {{std}}],
            "resize": "stretch",
            "resize_to": 0,
            "interpolation": "bilinear"
          },
          "dimension": 512,
          "unit_length": {{(kind == "face" ? "true" : "false")}},
          "max_batch": {{maxBatch}},
          "output": "embedding",
          "licence": "Apache-2.0",
          "origin": "tests/TestModels",
          "sha256": "{{Convert.ToHexStringLower(SHA256.HashData(Graph.Span))}}",
          "description": "A classical, untrained descriptor for tests."
        }

        """;

    /// <summary>Creates both models.</summary>
    public static IReadOnlyList<Descriptor> All() =>
    [
        new(ImageModel, "image", ImageDescriptor.Build(), 224, "0", "255", 32),
        new(FaceModel, "face", FaceDescriptor.Build(), 112, "127.5", "127.5", 64),
    ];

    /// <summary>Returns the path of the <c>.onnx</c> file of a model.</summary>
    public static string PathOf(string name) => Path.Combine(Folder, $"{name}.onnx");

    private static string WriteAll()
    {
        var folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, "test-models")).FullName;
        foreach (var model in All())
        {
            Write(Path.Combine(folder, $"{model.Name}.onnx"), model.Graph.Span);
            Write(Path.Combine(folder, $"{model.Name}.json"), Encoding.UTF8.GetBytes(model.Manifest));
        }
        return folder;
    }

    // Another process can be reading the file: a complete file stays, and a new one is moved into place.
    private static void Write(string path, ReadOnlySpan<byte> content)
    {
        if (File.Exists(path) && content.SequenceEqual(File.ReadAllBytes(path)))
        {
            return;
        }
        var part = $"{path}.{Environment.ProcessId}";
        File.WriteAllBytes(part, content);
        File.Move(part, path, overwrite: true);
    }
}
