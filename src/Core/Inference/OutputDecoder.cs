using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Embeddings.Core.Inference;

/// <summary>
/// Turns the outputs of a model that does not embed into the result of an item: a list of numbers whose meaning follows from
/// the model's kind. Stateless after its creation, and thread-safe.
/// </summary>
/// <param name="sizes">Sizes of the outputs, in the order of <see cref="ModelManifest.OutputNames"/>.</param>
internal abstract class OutputDecoder(IReadOnlyList<OutputSize> sizes)
{
    // A result that the session's check refuses, so that an item with outputs that are not finite ends with that fault.
    private static readonly float[] NotFinite = [float.NaN];

    /// <summary>Sizes of the outputs for one item.</summary>
    public IReadOnlyList<OutputSize> Sizes { get; } = sizes;

    /// <summary>Creates the decoder for a manifest; null for models that embed.</summary>
    /// <param name="file">File of the model, for messages.</param>
    /// <param name="manifest">The manifest.</param>
    /// <param name="sizes">Sizes that a run of one item has shown.</param>
    /// <exception cref="ModelException">The outputs do not fit the manifest.</exception>
    public static OutputDecoder? Create(string file, ModelManifest manifest, IReadOnlyList<OutputSize> sizes) => manifest switch
    {
        { Detector: { } detector } => new DetectorDecoder(file, detector, manifest.Input, sizes),
        { Landmarks: { } landmarks } => new LandmarksDecoder(file, landmarks, sizes),
        { Liveness: { } liveness } => new LivenessDecoder(file, liveness, sizes),
        { Pose: { } pose } => new PoseDecoder(file, pose, sizes),
        _ => null,
    };

    /// <summary>The result of an item; NaN if one of its outputs is not finite.</summary>
    public float[] Decode(in ItemOutputs outputs)
    {
        for (var i = 0; i < Sizes.Count; i++)
        {
            if (!VectorMath.IsFinite(outputs[i]))
            {
                return NotFinite;
            }
        }
        return DecodeFinite(outputs);
    }

    protected abstract float[] DecodeFinite(in ItemOutputs outputs);

    /// <summary>
    /// Sets <paramref name="probabilities"/> to the softmax of some logits; both may be the same memory.
    /// </summary>
    protected static void Softmax(ReadOnlySpan<float> logits, Span<float> probabilities)
    {
        // Less the largest, so that the exponential does not overflow.
        var largest = float.NegativeInfinity;
        foreach (var logit in logits)
        {
            largest = MathF.Max(largest, logit);
        }
        var sum = 0f;
        for (var i = 0; i < logits.Length; i++)
        {
            probabilities[i] = MathF.Exp(logits[i] - largest);
            sum += probabilities[i];
        }
        for (var i = 0; i < logits.Length; i++)
        {
            probabilities[i] /= sum;
        }
    }
}

/// <summary>Size of an output for one item.</summary>
/// <param name="Name">Name of the output.</param>
/// <param name="Length">Number of values.</param>
/// <param name="Columns">Its last size: the number of values that belong together.</param>
internal readonly record struct OutputSize(string Name, int Length, int Columns)
{
    public int Rows => Length / Columns;

    public override string ToString() => $"{Name} [{Rows}, {Columns}]";
}

/// <summary>
/// The outputs of a run, which the runtime allocated, as float32. Floats are read in place; float16 is converted once.
/// </summary>
internal sealed unsafe class RunOutputs : IDisposable
{
    private readonly AlignedBuffer?[] _converted;
    private readonly (nint Address, int Count)[] _values;

    /// <param name="values">The outputs, which the caller disposes after this instance.</param>
    public RunOutputs(IReadOnlyList<OrtValue> values)
    {
        _converted = new AlignedBuffer?[values.Count];
        _values = new (nint, int)[values.Count];
        for (var i = 0; i < values.Count; i++)
        {
            if (values[i].GetTensorTypeAndShape().ElementDataType == TensorElementType.Float16)
            {
                var halves = MemoryMarshal.Cast<Float16, Half>(values[i].GetTensorDataAsSpan<Float16>());
                var buffer = new AlignedBuffer(Math.Max(1, (nuint)halves.Length) * sizeof(float));
                VectorMath.ToSingle(halves, buffer.Slice<float>(0, halves.Length));
                _converted[i] = buffer;
                _values[i] = (buffer.Address, halves.Length);
            }
            else
            {
                // Native memory, which does not move.
                var floats = values[i].GetTensorDataAsSpan<float>();
                _values[i] = ((nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(floats)), floats.Length);
            }
        }
    }

    /// <summary>All values of an output; valid until disposal.</summary>
    public ReadOnlySpan<float> this[int output] => new((void*)_values[output].Address, _values[output].Count);

    public void Dispose()
    {
        foreach (var buffer in _converted)
        {
            buffer?.Dispose();
        }
    }
}

/// <summary>The values of one item in the outputs of a run.</summary>
/// <param name="outputs">The outputs.</param>
/// <param name="sizes">Their sizes for one item.</param>
/// <param name="item">Number of the item in the run.</param>
internal readonly ref struct ItemOutputs(RunOutputs outputs, IReadOnlyList<OutputSize> sizes, int item)
{
    public ReadOnlySpan<float> this[int output] => outputs[output].Slice(item * sizes[output].Length, sizes[output].Length);
}
