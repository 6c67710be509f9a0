using System.Security.Cryptography;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Models.Maker;

/// <summary>A model this project makes itself: its two files' bytes, the same every time.</summary>
/// <param name="name">Name of the model and of its files.</param>
/// <param name="model">Its graph.</param>
/// <param name="manifest">Its manifest, with <c>{sha256}</c> where the graph's checksum goes.</param>
public sealed class BuiltInModel(string name, ModelProto model, string manifest)
{
    /// <summary>Name of the model and of its files.</summary>
    public string Name { get; } = name;

    /// <summary>Content of the <c>.onnx</c> file.</summary>
    public ReadOnlyMemory<byte> Graph { get; } = OnnxFile.ToBytes(model);

    /// <summary>Content of the <c>.json</c> file.</summary>
    public string Manifest => manifest.Replace("{sha256}", Convert.ToHexStringLower(SHA256.HashData(Graph.Span)), StringComparison.Ordinal);

    /// <summary>Every built-in model, made anew.</summary>
    public static IReadOnlyList<BuiltInModel> All() =>
        [new("builtin-image", ImageDescriptor.Build(), Manifests.Image), new("builtin-face", FaceDescriptor.Build(), Manifests.Face)];
}
