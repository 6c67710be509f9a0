using System.Runtime.InteropServices;
using Embeddings.Core;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using OrtSessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace Embeddings.Tooling.Models.Inspection;

/// <summary>A model opened without a manifest, to see what it takes and gives. Not for serving.</summary>
internal sealed class TrialRun : IDisposable
{
    private readonly string _file;
    private readonly InferenceSession _session;

    /// <exception cref="ModelException">ONNX Runtime cannot load it.</exception>
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
            throw new ModelException(file, $"ONNX Runtime cannot load it: {e.Message}", e);
        }
        Inputs = [.. _session.InputMetadata.Select(Tensor)];
        Outputs = [.. _session.OutputMetadata.Select(Tensor)];
    }

    /// <summary>What has to be given; initializers that are listed as inputs are not among them.</summary>
    public IReadOnlyList<GraphTensor> Inputs { get; }

    public IReadOnlyList<GraphTensor> Outputs { get; }

    /// <summary>Runs it on one tensor and gives an output with its shape, float16 brought to float32.</summary>
    /// <exception cref="ModelException">The run fails, or the output is no tensor of floats.</exception>
    public (float[] Values, long[] Shape) Run(float[] input, long[] shape, string output)
    {
        try
        {
            using var value = Inputs[0].Type == "Float16" ? OrtValue.CreateTensorValueFromMemory(Halves(input), shape) : OrtValue.CreateTensorValueFromMemory(input, shape);
            using var options = new RunOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
            using var made = _session.Run(options, [Inputs[0].Name], [value], [output]);
            var type = made[0].GetTensorTypeAndShape();
            return (type.ElementDataType switch
            {
                TensorElementType.Float => made[0].GetTensorDataAsSpan<float>().ToArray(),
                TensorElementType.Float16 => Singles(made[0].GetTensorDataAsSpan<Float16>()),
                var other => throw new ModelException(_file, $"output {output} is of {other}; only float32 and float16 are supported"),
            }, type.Shape);
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(_file, $"cannot run: {e.Message}", e);
        }
    }

    public void Dispose() => _session.Dispose();

    private static GraphTensor Tensor(KeyValuePair<string, NodeMetadata> entry) =>
        entry.Value.IsTensor ? new(entry.Key, entry.Value.ElementDataType.ToString(), entry.Value.Dimensions) : new(entry.Key, "not a tensor", []);

    private static Float16[] Halves(float[] values)
    {
        var halves = new Float16[values.Length];
        HalfFloats.FromSingle(values, MemoryMarshal.Cast<Float16, Half>(halves.AsSpan()));
        return halves;
    }

    private static float[] Singles(ReadOnlySpan<Float16> halves)
    {
        var values = new float[halves.Length];
        HalfFloats.ToSingle(MemoryMarshal.Cast<Float16, Half>(halves), values);
        return values;
    }
}
