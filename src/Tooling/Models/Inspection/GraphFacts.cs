using Embeddings.Tooling.Onnx;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>What a model's file tells without running it.</summary>
/// <param name="Model">The whole of it.</param>
/// <param name="Opset">Version of ONNX's operators that it speaks; 0 where it does not say.</param>
/// <param name="DataFiles">Files beside it that hold weights.</param>
/// <param name="ListedInitializers">How many initializers it lists as inputs, as old exporters do.</param>
/// <param name="DynamicallyQuantized">Whether it quantizes by the range of a whole batch, so that neighbours change each other's vectors.</param>
/// <param name="Normalisation">The operators with which it normalises its own input, for example <c>Sub, Mul</c>; empty where there are none.</param>
internal sealed record GraphFacts(
    ModelProto Model, long Opset, IReadOnlyList<string> DataFiles, int ListedInitializers, bool DynamicallyQuantized, string Normalisation)
{
    /// <summary>In words, a fact each.</summary>
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
        if (Normalisation.Length > 0)
        {
            yield return $"normalises its input itself ({Normalisation})";
        }
    }
}
