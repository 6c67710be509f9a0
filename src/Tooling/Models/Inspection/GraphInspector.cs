using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>Properties of a model file that are known without running it.</summary>
/// <param name="Model">The model.</param>
/// <param name="Opset">Version of the ONNX operator set, or 0 if the file does not state it.</param>
/// <param name="DataFiles">External weight files.</param>
/// <param name="ListedInitializers">Number of initializers listed as inputs, as old exporters do.</param>
/// <param name="DynamicallyQuantized">
/// Whether it quantizes by the range of a batch, so that the items of a batch affect each other.
/// </param>
/// <param name="Normalization">
/// Operators that normalize the input, for example <c>Sub, Mul</c>; empty if there are none.
/// </param>
internal sealed record GraphFacts(
    ModelProto Model,
    long Opset,
    IReadOnlyList<string> DataFiles,
    int ListedInitializers,
    bool DynamicallyQuantized,
    string Normalization)
{
    /// <summary>Returns the properties as text.</summary>
    public IEnumerable<string> Words()
    {
        yield return $"opset {Opset}, {Model.Graph.Node.Count} operators";
        if (DataFiles.Count > 0)
        {
            yield return $"weights in {string.Join(", ", DataFiles)}";
        }
        if (ListedInitializers > 0)
        {
            yield return $"{ListedInitializers} initializers listed as inputs";
        }
        if (DynamicallyQuantized)
        {
            yield return "quantized dynamically (DynamicQuantizeLinear)";
        }
        if (Normalization.Length > 0)
        {
            yield return $"normalizes its input ({Normalization})";
        }
    }
}

/// <summary>Reads the properties of a model file.</summary>
internal static class GraphInspector
{
    // Operators that do not change values, or only their representation.
    private static readonly string[] Passing =
        ["Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Transpose", "Dropout"];

    private static readonly string[] Normalizing = ["Sub", "Add", "Mul", "Div", "BatchNormalization"];

    /// <exception cref="ModelException">The file is not a model or cannot be read.</exception>
    public static GraphFacts Inspect(string file)
    {
        var dataFiles = ModelFile.DataFiles(file);
        ModelProto model;
        try
        {
            model = OnnxFile.Load(file);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new ModelException(file, e.Message, e);
        }
        var graph = model.Graph;
        var constants = graph.Initializer.Select(tensor => tensor.Name)
            .Concat(graph.Node.Where(node => node.OpType == "Constant").SelectMany(node => node.Output))
            .ToHashSet();
        var inputs = graph.Input.Select(input => input.Name).Where(name => !constants.Contains(name)).ToList();
        return new(
            model,
            model.OpsetImport.FirstOrDefault(opset => opset.Domain is "" or "ai.onnx")?.Version ?? 0,
            dataFiles,
            graph.Input.Count - inputs.Count,
            graph.Node.Any(node => node.OpType == "DynamicQuantizeLinear"),
            inputs.Count == 1 ? Normalization(graph, inputs[0], constants) : "");
    }

    // Follows the input while a single operator at a time shifts or scales it by constants.
    private static string Normalization(GraphProto graph, string input, HashSet<string> constants)
    {
        var found = new List<string>();
        var tensor = input;
        for (var steps = 0; steps < 8; steps++)
        {
            var readers = graph.Node.Where(node => node.Input.Contains(tensor)).ToList();
            if (readers is not [var reader])
            {
                break;
            }
            if (Normalizing.Contains(reader.OpType) && reader.Input.All(name => name == tensor || constants.Contains(name)))
            {
                found.Add(reader.OpType);
            }
            else if (!Passing.Contains(reader.OpType))
            {
                break;
            }
            tensor = reader.Output[0];
        }
        return string.Join(", ", found);
    }
}
