using Embeddings.Tooling.Onnx;
using System.Security.Cryptography;

namespace Embeddings.Models.Maker;

/// <summary>A default model, made from published files: the same bytes every time and on every machine.</summary>
/// <param name="name">Name of the model and of its files.</param>
/// <param name="graph">The graph.</param>
/// <param name="manifest">The manifest, with <c>{sha256}</c> and <c>{data_sha256}</c> in place of the checksums.</param>
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

    /// <summary>ResNet-18 behind its mean picture. The order of the channels is left to the manifest: <c>bgr</c>.</summary>
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
        Graphs.Maker(graph, pooled, "AveragePool");
        graph.Node.Add(new NodeProto { OpType = Flat, Name = Flat, Input = { pooled }, Output = { Graphs.Output }, Attribute = { Attributes.Int("axis", 1) } });
        var made = Graphs.Model("resnet18", Manifests.ResNet18Origin, graph, Opset(model), 224, 512);
        var data = Graphs.MoveOut(made, "resnet18.onnx.data");
        return new("resnet18", made, Manifests.ResNet18, data);
    }

    /// <summary>MobileFaceNet for batches of any size.</summary>
    /// <param name="network">Content of <see cref="PublishedFile.MobileFaceNet"/>.</param>
    public static TrainedModel MobileFaceNet(byte[] network)
    {
        var model = Load(network);
        var graph = model.Graph;
        Graphs.Rename(graph, Graphs.OnlyInput(graph), Graphs.Input);

        // A reshape to [1, -1] would put all items of a batch in one row.
        var reshape = Graphs.Maker(graph, graph.Output.Single().Name, "Reshape");
        var flat = new NodeProto { OpType = Flat, Name = Flat, Input = { reshape.Input[0] }, Output = { Graphs.Output }, Attribute = { Attributes.Int("axis", 1) } };
        graph.Node[graph.Node.IndexOf(reshape)] = flat;
        return new("mobilefacenet", Graphs.Model("mobilefacenet", Manifests.MobileFaceNetOrigin, graph, Opset(model), 112, 512), Manifests.MobileFaceNet);
    }

    private static ModelProto Load(byte[] content) => OnnxFile.Load(new MemoryStream(content));

    private static long Opset(ModelProto model) => model.OpsetImport.Single(set => set.Domain.Length == 0).Version;
}
