using System.Numerics;
using System.Runtime.InteropServices;
using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Embeddings.Core.Inference;

/// <summary>
/// The input and the output of one batch, in native memory that ONNX Runtime reads and writes in place; created once and reused
/// for every run. Its views (<see cref="OrtValue"/>) are created once for each number of items and kept. A float16 model gets a
/// second pair of buffers, converted before and after a run.
/// </summary>
internal sealed class BatchTensor : IDisposable
{
    private readonly TensorLayout _layout;
    private readonly AlignedBuffer _input;
    private readonly AlignedBuffer? _output;
    private readonly AlignedBuffer? _halfInput;
    private readonly AlignedBuffer? _halfOutput;
    private readonly Dictionary<(int First, int Count), (OrtValue Input, OrtValue? Output)> _views = [];
    // Of models that do not embed, by item.
    private readonly float[]?[] _results;
    private readonly int _itemLength;
    private readonly int _rows;

    public BatchTensor(TensorLayout layout, int capacity)
    {
        _layout = layout;
        _itemLength = layout.Input.TensorLength;
        Capacity = capacity;
        // With a fixed batch, a run that starts at the last item still needs all its rows.
        var padded = layout.Buckets || layout.FixedBatch > 0;
        _rows = padded ? capacity + layout.RowsOf(capacity) - 1 : capacity;
        var inputs = (nuint)_rows * (nuint)_itemLength;
        var outputs = (nuint)_rows * (nuint)layout.Dimension;
        _input = new(inputs * sizeof(float));
        _output = layout.Dimension > 0 ? new(outputs * sizeof(float)) : null;
        _results = layout.Dimension > 0 ? [] : new float[]?[capacity];
        _halfInput = layout.HalfInput ? new(inputs * 2) : null;
        _halfOutput = layout is { HalfOutput: true, Dimension: > 0 } ? new(outputs * 2) : null;
        for (var row = 0; padded && row < _rows; row++)
        {
            Slice<float>(_input, row, 1, _itemLength).Clear();
        }
    }

    /// <summary>Most items at a time.</summary>
    public int Capacity { get; }

    public TensorLayout Layout => _layout;

    /// <summary>
    /// The input of one item: channels x height x width floats, channels first. Not thread-safe for one item; items are independent.
    /// </summary>
    public Span<float> Item(int index) => Slice<float>(_input, Checked(index), 1, _itemLength);

    /// <summary>The raw vector of one item after a run: one float per dimension of the model.</summary>
    public Span<float> Vector(int index) => Slice<float>(_output!, Checked(index), 1, _layout.Dimension);

    /// <summary>
    /// Returns the result of an item after a run, as an array of the caller's own: its raw vector, or what the model's outputs
    /// mean if it does not embed. Called once for each item of a run.
    /// </summary>
    public float[] TakeResult(int index)
    {
        if (_layout.Dimension > 0)
        {
            return Vector(index).ToArray();
        }
        var result = _results[Checked(index)];
        _results[index] = null;
        return result ?? throw new InvalidOperationException($"Item {index} has not run.");
    }

    /// <summary>Stores the result of an item of a model that does not embed.</summary>
    public void SetResult(int index, float[] result) => _results[Checked(index)] = result;

    /// <summary>
    /// Calls <paramref name="run"/> with the views of some items; that of the output is null if the layout leaves it to the
    /// runtime. The memory stays valid during the call, even if this instance is disposed.
    /// </summary>
    public void Use<T>(int first, int count, T state, Action<T, OrtValue, OrtValue?> run)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, Capacity - first);
        count = _layout.RowsOf(count);
        AlignedBuffer?[] held = [_input, _output, _halfInput, _halfOutput];
        var holds = 0;
        try
        {
            foreach (var buffer in held)
            {
                var added = false;
                buffer?.DangerousAddRef(ref added);
                holds++;
            }
            if (_halfInput is not null)
            {
                VectorMath.ToHalf(
                    Slice<float>(_input, first, count, _itemLength), Slice<Half>(_halfInput, first, count, _itemLength));
            }
            Call(first, count, state, run);
            if (_halfOutput is not null && _layout.OutputShape is not null)
            {
                VectorMath.ToSingle(
                    Slice<Half>(_halfOutput, first, count, _layout.Dimension),
                    Slice<float>(_output!, first, count, _layout.Dimension));
            }
        }
        finally
        {
            foreach (var buffer in held.AsSpan(0, holds))
            {
                buffer?.DangerousRelease();
            }
        }
    }

    /// <summary>Copies an output that the runtime allocated, with the values of <paramref name="count"/> vectors.</summary>
    public void CopyOutput(int first, int count, OrtValue output)
    {
        var vectors = Slice<float>(_output!, first, count, _layout.Dimension);
        if (_layout.HalfOutput)
        {
            var halves = MemoryMarshal.Cast<Float16, Half>(output.GetTensorDataAsSpan<Float16>());
            VectorMath.ToSingle(halves[..vectors.Length], vectors);
        }
        else
        {
            output.GetTensorDataAsSpan<float>()[..vectors.Length].CopyTo(vectors);
        }
    }

    public void Dispose()
    {
        lock (_views)
        {
            foreach (var (input, output) in _views.Values)
            {
                input.Dispose();
                output?.Dispose();
            }
            _views.Clear();
        }
        _input.Dispose();
        _output?.Dispose();
        _halfInput?.Dispose();
        _halfOutput?.Dispose();
    }

    private void Call<T>(int first, int count, T state, Action<T, OrtValue, OrtValue?> run)
    {
        // The lock keeps the views alive while they are in use; it is never contended, since a tensor belongs to one run at a
        // time.
        lock (_views)
        {
            if (_views.TryGetValue((first, count), out var view))
            {
                run(state, view.Input, view.Output);
                return;
            }
            view = View(first, count);
            // Whole batches and single items recur; other views are rare, and too many to keep.
            if (first == 0 || count == _layout.RowsOf(1))
            {
                _views.Add((first, count), view);
                run(state, view.Input, view.Output);
                return;
            }
            using (view.Input)
            using (view.Output)
            {
                run(state, view.Input, view.Output);
            }
        }
    }

    private (OrtValue Input, OrtValue? Output) View(int first, int count)
    {
        var input = View(_halfInput ?? _input, _layout.HalfInput, first, count, _itemLength, _layout.InputShapeOf(count));
        try
        {
            return (input, _layout.OutputShape is null
                ? null
                : View(_halfOutput ?? _output!, _layout.HalfOutput, first, count, _layout.Dimension, _layout.OutputShapeOf(count)));
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    private static OrtValue View(AlignedBuffer buffer, bool half, long first, long count, long length, long[] shape)
    {
        var type = half ? TensorElementType.Float16 : TensorElementType.Float;
        var size = half ? 2L : 4L;
        var address = buffer.Address + (nint)(first * length * size);
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, type, shape, address, count * length * size);
    }

    private int Checked(int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Capacity);
        return index;
    }

    private Span<T> Slice<T>(AlignedBuffer buffer, int first, int count, int length)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _rows - first);
        return buffer.Slice<T>((nuint)first * (nuint)length, checked(count * length));
    }
}

/// <summary>The sizes and types of a model's tensors.</summary>
/// <param name="Input">Channels, height and width of the input.</param>
/// <param name="Dimension">
/// Number of values in one vector; 0 if the model does not embed. Then the runtime allocates all outputs.
/// </param>
/// <param name="HalfInput">True if the input is float16.</param>
/// <param name="HalfOutput">True if the output is float16.</param>
/// <param name="OutputShape">
/// The output's sizes after the batch, as seen in a run: [512], or [576, 1, 1]. Null if the output's first size is not the
/// batch; then the runtime allocates the output and it is copied.
/// </param>
/// <param name="FixedBatch">
/// The batch that every run must have, if the file fixes it above 1; else 0. Rows without an item are zeros or leftovers.
/// </param>
/// <param name="Buckets">True if runs are filled up to 1, 2, 4, 8 rows and so on, in the same way.</param>
internal sealed record TensorLayout(
    InputSpec Input,
    int Dimension,
    bool HalfInput,
    bool HalfOutput,
    IReadOnlyList<long>? OutputShape,
    int FixedBatch = 0,
    bool Buckets = false)
{
    /// <summary>Number of rows in a run of some items.</summary>
    public int RowsOf(int count) => Buckets ? (int)BitOperations.RoundUpToPowerOf2((uint)count) : Math.Max(count, FixedBatch);

    public long[] InputShapeOf(int count) => [count, Input.Channels, Input.Height, Input.Width];

    public long[] OutputShapeOf(int count) => [count, .. OutputShape!];
}
