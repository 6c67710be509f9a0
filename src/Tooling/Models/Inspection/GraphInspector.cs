using Embeddings.Core;
using Embeddings.Core.Models;
using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>Reads a model's file.</summary>
internal static class GraphInspector
{
    // Operators that change no values, or only how they are written.
    private static readonly string[] Passing = ["Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "Transpose", "Dropout"];

    private static readonly string[] Normalising = ["Sub", "Add", "Mul", "Div", "BatchNormalization"];

    /// <exception cref="ModelException">It is no model, or cannot be read.</exception>
    public static GraphFacts Inspect(string file)
    {
        var beside = ModelFile.DataFiles(file);
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
        var pictures = graph.Input.Select(input => input.Name).Where(name => !constants.Contains(name)).ToList();
        return new(
            model,
            model.OpsetImport.FirstOrDefault(opset => opset.Domain is "" or "ai.onnx")?.Version ?? 0,
            beside,
            graph.Input.Count - pictures.Count,
            graph.Node.Any(node => node.OpType == "DynamicQuantizeLinear"),
            pictures.Count == 1 ? Normalisation(graph, pictures[0], constants) : "");
    }

    // Follows the picture as long as one operator after another only shifts or scales it by constants.
    private static string Normalisation(GraphProto graph, string picture, HashSet<string> constants)
    {
        var found = new List<string>();
        for (var (tensor, steps) = (picture, 0); steps < 8; steps++)
        {
            var readers = graph.Node.Where(node => node.Input.Contains(tensor)).ToList();
            if (readers is not [var reader])
            {
                break;
            }
            if (Normalising.Contains(reader.OpType) && reader.Input.All(input => input == tensor || constants.Contains(input)))
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
