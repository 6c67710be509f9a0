using Embeddings.Core.Models;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Embeddings.Core.Inference;

/// <summary>The input and the output a model is used by, found in its graph and checked against its manifest as far as the graph declares them.</summary>
/// <param name="Input">Name of the input tensor, NCHW.</param>
/// <param name="HalfInput">Whether it is float16, else float32.</param>
/// <param name="FixedBatch">The batch that the file fixes; 0 where it takes any.</param>
/// <param name="Output">Name of the output tensor.</param>
/// <param name="HalfOutput">Whether it is float16, else float32.</param>
/// <param name="FixedOutput">Whether the output declares a batch of 1. The runtime then accepts no buffer for more, though it makes more itself.</param>
internal sealed record ModelSignature(string Input, bool HalfInput, int FixedBatch, string Output, bool HalfOutput, bool FixedOutput)
{
    private const int LargestBatch = 1_024;

    /// <exception cref="ModelException">The graph does not fit the manifest.</exception>
    public static ModelSignature Find(InferenceSession session, ModelManifest manifest, string file)
    {
        // Initializers that old exporters list as inputs are not among these: the runtime counts them as overridable.
        var (input, inputType) = session.InputMetadata.Count == 1
            ? session.InputMetadata.Single()
            : throw new ModelException(file, $"has {session.InputMetadata.Count} inputs ({Names(session.InputMetadata)}); an embedding model has one");
        var halfInput = IsHalf(file, $"input {input}", inputType);
        var fixedBatch = CheckInput(file, input, inputType.Dimensions, manifest.Input);

        var (output, outputType) = FindOutput(session, manifest, file);
        var halfOutput = IsHalf(file, $"output {output}", outputType);
        CheckOutput(file, output, outputType.Dimensions, manifest.Dimension);
        return new(input, halfInput, fixedBatch, output, halfOutput, outputType.Dimensions is [> 0, ..]);
    }

    private static int CheckInput(string file, string name, int[] shape, InputSpec spec)
    {
        // -1 is a size known only at run time.
        if (shape.Length != 4 || !Fits(shape[1], 3) || !Fits(shape[2], spec.Height) || !Fits(shape[3], spec.Width))
        {
            throw new ModelException(file, $"input {name} is {Show(shape)}, the manifest says [batch, 3, {spec.Height}, {spec.Width}]");
        }
        return shape[0] <= LargestBatch
            ? Math.Max(shape[0], 0)
            : throw new ModelException(file, $"input {name} is {Show(shape)}: a fixed batch of more than {LargestBatch} is not supported");
    }

    private static (string Name, NodeMetadata Type) FindOutput(InferenceSession session, ModelManifest manifest, string file)
    {
        var outputs = session.OutputMetadata;
        if (manifest.Output.Length > 0)
        {
            return outputs.TryGetValue(manifest.Output, out var named)
                ? (manifest.Output, named)
                : throw new ModelException(file, $"has no output {manifest.Output}; it has {Names(outputs)}");
        }
        return outputs.Count == 1
            ? (outputs.Single().Key, outputs.Single().Value)
            : throw new ModelException(
                file, $"has {outputs.Count} outputs ({Names(outputs)}): the manifest's output must name one; a detector is not an embedding model");
    }

    // The first size is the batch, and not to be trusted: some exporters write 1 where N comes out.
    private static void CheckOutput(string file, string name, int[] shape, int dimension)
    {
        var inner = shape.Skip(1).ToArray();
        if (shape.Length >= 2 && inner.All(s => s > 0) && inner.Aggregate(1L, (product, s) => product * s) != dimension)
        {
            throw new ModelException(file, $"output {name} is {Show(shape)}, the manifest says dimension {dimension}");
        }
    }

    private static bool IsHalf(string file, string what, NodeMetadata type) => type switch
    {
        { IsTensor: true, ElementDataType: TensorElementType.Float } => false,
        { IsTensor: true, ElementDataType: TensorElementType.Float16 } => true,
        { IsTensor: true } => throw new ModelException(file, $"{what} is of {type.ElementDataType}; only float32 and float16 are supported"),
        _ => throw new ModelException(file, $"{what} is not a tensor"),
    };

    private static bool Fits(int declared, int wanted) => declared <= 0 || declared == wanted;

    private static string Show(int[] shape) => $"[{string.Join(", ", shape.Select(s => s > 0 ? $"{s}" : "any"))}]";

    private static string Names(IReadOnlyDictionary<string, NodeMetadata> tensors) => string.Join(", ", tensors.Keys.Take(12));
}
