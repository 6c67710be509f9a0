using Embeddings.Core.Models;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Embeddings.Core.Inference;

/// <summary>
/// The input and the outputs of a model, found in its graph and checked against its manifest as far as the graph declares
/// them.
/// </summary>
/// <param name="Input">Name of the input tensor, NCHW.</param>
/// <param name="HalfInput">True if the input is float16, false if float32.</param>
/// <param name="FixedBatch">The batch that the file fixes; 0 if it takes any.</param>
/// <param name="Outputs">Names of the outputs that a run reads; one if the model embeds.</param>
/// <param name="HalfOutput">True if the first output is float16, false if float32.</param>
/// <param name="FixedOutput">
/// True if the first output declares a batch of 1. The runtime then accepts no buffer for more, though it allocates more
/// itself.
/// </param>
internal sealed record ModelSignature(
    string Input, bool HalfInput, int FixedBatch, IReadOnlyList<string> Outputs, bool HalfOutput, bool FixedOutput)
{
    private const int MaxFixedBatch = 1_024;

    /// <exception cref="ModelException">The graph does not fit the manifest.</exception>
    public static ModelSignature Find(InferenceSession session, ModelManifest manifest, string file)
    {
        // Initializers that old exporters list as inputs are not among these: the runtime treats them as overridable.
        var (input, inputType) = session.InputMetadata.Count == 1
            ? session.InputMetadata.Single()
            : throw new ModelException(
                file, $"must have one input; got {session.InputMetadata.Count} ({Names(session.InputMetadata)})");
        var halfInput = IsHalf(file, $"input {input}", inputType);
        var fixedBatch = CheckInput(file, input, inputType.Dimensions, manifest.Input);

        var outputs = manifest.OutputNames.Select(name => FindOutput(session, name, manifest, file)).ToList();
        var halves = outputs.Select(output => IsHalf(file, $"output {output.Name}", output.Type)).ToList();
        var (first, firstType) = outputs[0];
        if (manifest.Embeds)
        {
            CheckOutput(file, first, firstType.Dimensions, manifest.Dimension);
        }
        return new(
            input, halfInput, fixedBatch, [.. outputs.Select(output => output.Name)], halves[0], firstType.Dimensions is [> 0, ..]);
    }

    private static int CheckInput(string file, string name, int[] shape, InputSpec spec)
    {
        // -1 is a size known only at run time.
        if (shape.Length != 4 || !Fits(shape[1], spec.Channels) || !Fits(shape[2], spec.Height) || !Fits(shape[3], spec.Width))
        {
            throw new ModelException(
                file,
                $"input {name} must be [batch, {spec.Channels}, {spec.Height}, {spec.Width}] as in the manifest; "
                    + $"got {Show(shape)}");
        }
        return shape[0] <= MaxFixedBatch
            ? Math.Max(shape[0], 0)
            : throw new ModelException(file, $"input {name} must have a batch of at most {MaxFixedBatch}; got {Show(shape)}");
    }

    private static (string Name, NodeMetadata Type) FindOutput(
        InferenceSession session, string name, ModelManifest manifest, string file)
    {
        var outputs = session.OutputMetadata;
        if (name.Length > 0)
        {
            return outputs.TryGetValue(name, out var named)
                ? (name, named)
                : throw new ModelException(file, $"has no output {name}; its outputs are {Names(outputs)}");
        }
        if (outputs.Count == 1)
        {
            return (outputs.Single().Key, outputs.Single().Value);
        }
        var field = manifest.Embeds ? "output" : $"{ManifestFile.Word(manifest.Kind)}.output";
        var detector = manifest.Embeds
            ? " (for a detector, kind must be detector; 'embeddings models add --preset' writes such a manifest)"
            : "";
        throw new ModelException(
            file, $"has {outputs.Count} outputs ({Names(outputs)}); the manifest's {field} must name one{detector}");
    }

    // The first size is the batch, which cannot be relied on: some exporters declare 1 for N.
    private static void CheckOutput(string file, string name, int[] shape, int dimension)
    {
        var inner = shape.Skip(1).ToArray();
        if (shape.Length >= 2 && inner.All(s => s > 0) && inner.Aggregate(1L, (product, s) => product * s) != dimension)
        {
            throw new ModelException(file, $"output {name} must have {dimension} values as in the manifest; got {Show(shape)}");
        }
    }

    private static bool IsHalf(string file, string what, NodeMetadata type) => type switch
    {
        { IsTensor: true, ElementDataType: TensorElementType.Float } => false,
        { IsTensor: true, ElementDataType: TensorElementType.Float16 } => true,
        { IsTensor: true } => throw new ModelException(file, $"{what} must be float32 or float16; got {type.ElementDataType}"),
        _ => throw new ModelException(file, $"{what} must be a tensor"),
    };

    private static bool Fits(int declared, int wanted) => declared <= 0 || declared == wanted;

    private static string Show(int[] shape) => $"[{string.Join(", ", shape.Select(s => s > 0 ? $"{s}" : "any"))}]";

    private static string Names(IReadOnlyDictionary<string, NodeMetadata> tensors) => string.Join(", ", tensors.Keys.Take(12));
}
