using System.Runtime.InteropServices;
using Embeddings.Core;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>An input or output of a model.</summary>
/// <param name="Name">Name.</param>
/// <param name="Type">Type of its values, for example <c>Float</c> or <c>Float16</c>.</param>
/// <param name="Shape">Sizes; 0 or less for a dynamic size.</param>
internal sealed record GraphTensor(string Name, string Type, IReadOnlyList<int> Shape)
{
    /// <summary>True if the service supports the type: float32 or float16.</summary>
    public bool IsFloat => Type is "Float" or "Float16";

    public override string ToString() =>
        $"{Name} {Type} [{string.Join(", ", Shape.Select(size => size > 0 ? $"{size}" : "any"))}]";
}

/// <summary>A model loaded without a manifest, to determine its inputs and outputs. Not for serving.</summary>
internal sealed class TrialRun : IDisposable
{
    private readonly string _file;
    private readonly InferenceSession _session;

    /// <exception cref="ModelException">ONNX Runtime cannot load the model.</exception>
    public TrialRun(string file)
    {
        _file = file;
        try
        {
            using var options = new OrtSessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            _session = new InferenceSession(file, options);
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(file, $"ONNX Runtime cannot load the model: {e.Message}", e);
        }
        Inputs = [.. _session.InputMetadata.Select(Tensor)];
        Outputs = [.. _session.OutputMetadata.Select(Tensor)];
    }

    /// <summary>Inputs without initializers.</summary>
    public IReadOnlyList<GraphTensor> Inputs { get; }

    public IReadOnlyList<GraphTensor> Outputs { get; }

    /// <summary>
    /// Runs the model on one tensor and returns an output with its shape. float16 is converted to float32.
    /// </summary>
    /// <exception cref="ModelException">The run fails, or the output is not a float tensor.</exception>
    public (float[] Values, long[] Shape) Run(float[] input, long[] shape, string output)
    {
        try
        {
            using var value = Inputs[0].Type == "Float16"
                ? OrtValue.CreateTensorValueFromMemory(Halves(input), shape)
                : OrtValue.CreateTensorValueFromMemory(input, shape);
            using var options = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            using var outputs = _session.Run(options, [Inputs[0].Name], [value], [output]);
            var type = outputs[0].GetTensorTypeAndShape();
            return (type.ElementDataType switch
            {
                TensorElementType.Float => outputs[0].GetTensorDataAsSpan<float>().ToArray(),
                TensorElementType.Float16 => Singles(outputs[0].GetTensorDataAsSpan<Float16>()),
                var other => throw new ModelException(_file, $"Output '{output}' must be float32 or float16; "
                    + $"got {other}."),
            }, type.Shape);
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(_file, $"The model cannot run: {e.Message}", e);
        }
    }

    /// <summary>Runs the model on one tensor and returns all outputs with the sizes that they really have.</summary>
    /// <exception cref="ModelException">The run fails.</exception>
    public IReadOnlyList<GraphTensor> Sizes(float[] input, long[] shape)
    {
        try
        {
            using var value = Inputs[0].Type == "Float16"
                ? OrtValue.CreateTensorValueFromMemory(Halves(input), shape)
                : OrtValue.CreateTensorValueFromMemory(input, shape);
            using var options = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            using var outputs = _session.Run(options, [Inputs[0].Name], [value], [.. Outputs.Select(output => output.Name)]);
            return [.. Outputs.Zip(outputs, (output, actual) => output with { Shape = Shape(actual) })];
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(_file, $"The model cannot run: {e.Message}", e);
        }

        static IReadOnlyList<int> Shape(OrtValue output) => output.IsTensor
            ? [.. output.GetTensorTypeAndShape().Shape.Select(size => (int)Math.Min(size, int.MaxValue))]
            : [];
    }

    public void Dispose() => _session.Dispose();

    private static GraphTensor Tensor(KeyValuePair<string, NodeMetadata> entry) =>
        entry.Value.IsTensor
            ? new(entry.Key, entry.Value.ElementDataType.ToString(), entry.Value.Dimensions)
            : new(entry.Key, "not a tensor", []);

    private static Float16[] Halves(float[] values)
    {
        var halves = new Float16[values.Length];
        VectorMath.ToHalf(values, MemoryMarshal.Cast<Float16, Half>(halves.AsSpan()));
        return halves;
    }

    private static float[] Singles(ReadOnlySpan<Float16> halves)
    {
        var values = new float[halves.Length];
        VectorMath.ToSingle(MemoryMarshal.Cast<Float16, Half>(halves), values);
        return values;
    }
}
