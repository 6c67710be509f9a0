using System.Security.Cryptography;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Models.Maker;

/// <summary>A default model, made from published files. The bytes are the same on every machine.</summary>
/// <param name="name">Name of the model and of its files.</param>
/// <param name="graph">The graph.</param>
/// <param name="manifest">The manifest, with <c>{sha256}</c> and <c>{data_sha256}</c> as placeholders for the checksums.</param>
/// <param name="data">Content of the file with the large constants, or null if they are part of the graph.</param>
public sealed class TrainedModel(string name, ModelProto graph, string manifest, byte[]? data = null)
{
    private const string Flat = "Flatten";

    /// <summary>Name of the model and of its files.</summary>
    public string Name { get; } = name;

    /// <summary>Content of the <c>.onnx</c> file.</summary>
    public ReadOnlyMemory<byte> Graph { get; } = OnnxFile.ToBytes(graph);

    /// <summary>Content of the <c>.onnx.data</c> file, or null if there is none.</summary>
    public ReadOnlyMemory<byte>? Data { get; } = data is null ? default(ReadOnlyMemory<byte>?) : data;

    /// <summary>Content of the <c>.json</c> file.</summary>
    public string Manifest => manifest
        .Replace("{sha256}", Convert.ToHexStringLower(SHA256.HashData(Graph.Span)), StringComparison.Ordinal)
        .Replace("{data_sha256}", Data is { } content ? Convert.ToHexStringLower(SHA256.HashData(content.Span)) : "", StringComparison.Ordinal);

    /// <summary>
    /// Creates ResNet-18 with the mean image subtracted. The channel order is set by the manifest: <c>bgr</c>.
    /// </summary>
    /// <param name="preprocess">Content of <see cref="PublishedFile.ResNetPreprocess"/>.</param>
    /// <param name="network">Content of <see cref="PublishedFile.ResNet18"/>.</param>
    public static TrainedModel ResNet18(byte[] preprocess, byte[] network)
    {
        var before = Load(preprocess).Graph;
        var model = Load(network);
        var graph = model.Graph;
        var mean = before.Initializer.Single();

        Graphs.Rename(graph, Graphs.OnlyInput(graph), "centred");
        var subtract = new NodeProto { OpType = "Sub", Name = "Centre", Input = { Graphs.Input, mean.Name }, Output = { "centred" } };
        graph.Node.Insert(0, subtract);
        graph.Initializer.Add(mean);

        Graphs.FoldBatchNormalization(graph);

        // [batch, 512, 1, 1] to [batch, 512].
        var pooled = graph.Output.Single().Name;
        Graphs.Producer(graph, pooled, "AveragePool");
        graph.Node.Add(new NodeProto { OpType = Flat, Name = Flat, Input = { pooled }, Output = { Graphs.Output }, Attribute = { Attributes.Int("axis", 1) } });
        var made = Graphs.Model("resnet18", Manifests.ResNet18Origin, graph, Opset(model), 224, 512);
        var data = Graphs.MoveOut(made, "resnet18.onnx.data");
        return new("resnet18", made, Manifests.ResNet18, data);
    }

    /// <summary>Creates MobileFaceNet for batches of any size.</summary>
    /// <param name="network">Content of <see cref="PublishedFile.MobileFaceNet"/>.</param>
    public static TrainedModel MobileFaceNet(byte[] network)
    {
        var model = Load(network);
        var graph = model.Graph;
        Graphs.Rename(graph, Graphs.OnlyInput(graph), Graphs.Input);

        // The published reshape to [1, -1] would put all items of a batch in one row.
        var reshape = Graphs.Producer(graph, graph.Output.Single().Name, "Reshape");
        var flat = new NodeProto { OpType = Flat, Name = Flat, Input = { reshape.Input[0] }, Output = { Graphs.Output }, Attribute = { Attributes.Int("axis", 1) } };
        graph.Node[graph.Node.IndexOf(reshape)] = flat;
        return new("mobilefacenet", Graphs.Model("mobilefacenet", Manifests.MobileFaceNetOrigin, graph, Opset(model), 112, 512), Manifests.MobileFaceNet);
    }

    /// <summary>Creates the detector for batches of any size.</summary>
    /// <param name="network">Content of <see cref="PublishedFile.UltraFace"/>.</param>
    public static TrainedModel UltraFace(byte[] network) => Renamed(
        network, "ultraface", Manifests.UltraFaceOrigin, Manifests.UltraFace, [3, 240, 320], ("scores", "scores", [4420, 2]), ("boxes", "boxes", [4420, 4]));

    /// <summary>Creates the landmark model for batches of any size.</summary>
    /// <param name="network">Content of <see cref="PublishedFile.Landmarks68"/>.</param>
    public static TrainedModel Landmarks68(byte[] network) => Renamed(
        network, "landmarks68", Manifests.Landmarks68Origin, Manifests.Landmarks68, [1, 64, 64], ("output", "landmarks", [136]));

    /// <summary>Creates the liveness model for batches of any size.</summary>
    /// <param name="network">Content of <see cref="PublishedFile.Liveness"/>.</param>
    public static TrainedModel Liveness(byte[] network) => Renamed(
        network, "liveness", Manifests.LivenessOrigin, Manifests.Liveness, [3, 128, 128], ("output", "classes", [3]));

    /// <summary>Creates the pose model for batches of any size.</summary>
    /// <param name="network">Content of <see cref="PublishedFile.Pose"/>.</param>
    public static TrainedModel Pose(byte[] network) => Renamed(
        network, "pose", Manifests.PoseOrigin, Manifests.Pose, [3, 224, 224], ("output", "yaw", [66]), ("617", "pitch", [66]), ("618", "roll", [66]));

    // Only the declared sizes fix the batch at 1, except in the pose model, whose reshapes do as well.
    private static TrainedModel Renamed(
        byte[] network, string name, string origin, string manifest, long[] input, params (string From, string To, long[] Sizes)[] outputs)
    {
        var model = Load(network);
        var graph = model.Graph;
        Graphs.Rename(graph, Graphs.OnlyInput(graph), Graphs.Input);
        foreach (var (from, to, _) in outputs)
        {
            Graphs.Rename(graph, from, to);
        }
        if (name == "pose")
        {
            Graphs.FreeReshapes(graph);
        }
        return new(name, Graphs.Model(name, origin, graph, Opset(model), input, [.. outputs.Select(output => (output.To, output.Sizes))]), manifest);
    }

    private static ModelProto Load(byte[] content) => OnnxFile.Load(new MemoryStream(content));

    private static long Opset(ModelProto model) => model.OpsetImport.Single(set => set.Domain.Length == 0).Version;
}
