using System.Runtime.InteropServices;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Embeddings.Core.Inference;

/// <summary>
/// A batch in native memory that ONNX Runtime reads and writes in place. The views of it (<see cref="OrtValue"/>s) are made once for each number of
/// items and kept. A float16 model gets a second pair of buffers, converted before and after a run.
/// </summary>
internal sealed class OrtBatchTensor : BatchTensor
{
    private readonly TensorLayout _layout;
    private readonly AlignedBuffer _input;
    private readonly AlignedBuffer _output;
    private readonly AlignedBuffer? _halfInput;
    private readonly AlignedBuffer? _halfOutput;
    private readonly Dictionary<(int First, int Count), (OrtValue Input, OrtValue? Output)> _views = [];
    private readonly int _itemLength;
    private readonly int _rows;

    public OrtBatchTensor(TensorLayout layout, int capacity)
    {
        _layout = layout;
        _itemLength = layout.Input.TensorLength;
        Capacity = capacity;
        // With a fixed batch, a run that begins at the last item still needs all its rows.
        var padded = layout.Buckets || layout.FixedBatch > 0;
        _rows = padded ? capacity + layout.RowsOf(capacity) - 1 : capacity;
        var (inputs, outputs) = ((nuint)_rows * (nuint)_itemLength, (nuint)_rows * (nuint)layout.Dimension);
        _input = new(inputs * sizeof(float));
        _output = new(outputs * sizeof(float));
        _halfInput = layout.HalfInput ? new(inputs * 2) : null;
        _halfOutput = layout.HalfOutput ? new(outputs * 2) : null;
        for (var row = 0; padded && row < _rows; row++)
        {
            Slice<float>(_input, row, 1, _itemLength).Clear();
        }
    }

    /// <inheritdoc/>
    public override int Capacity { get; }

    public TensorLayout Layout => _layout;

    /// <inheritdoc/>
    public override Span<float> Item(int index) => Slice<float>(_input, Checked(index), 1, _itemLength);

    /// <inheritdoc/>
    public override Span<float> Vector(int index) => Slice<float>(_output, Checked(index), 1, _layout.Dimension);

    /// <summary>
    /// Calls <paramref name="run"/> with the views of some items; the output's is null where the layout leaves it to the runtime. The memory stays
    /// where it is meanwhile, even if this is disposed.
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
                VectorMath.ToHalf(Slice<float>(_input, first, count, _itemLength), Slice<Half>(_halfInput, first, count, _itemLength));
            }
            Call(first, count, state, run);
            if (_halfOutput is not null && _layout.OutputShape is not null)
            {
                VectorMath.ToSingle(Slice<Half>(_halfOutput, first, count, _layout.Dimension), Slice<float>(_output, first, count, _layout.Dimension));
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

    /// <summary>Takes over an output the runtime made: as many values as <paramref name="count"/> vectors have.</summary>
    public void CopyOutput(int first, int count, OrtValue made)
    {
        var vectors = Slice<float>(_output, first, count, _layout.Dimension);
        if (_layout.HalfOutput)
        {
            VectorMath.ToSingle(MemoryMarshal.Cast<Float16, Half>(made.GetTensorDataAsSpan<Float16>())[..vectors.Length], vectors);
        }
        else
        {
            made.GetTensorDataAsSpan<float>()[..vectors.Length].CopyTo(vectors);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
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
        _output.Dispose();
        _halfInput?.Dispose();
        _halfOutput?.Dispose();
    }

    private void Call<T>(int first, int count, T state, Action<T, OrtValue, OrtValue?> run)
    {
        // The lock keeps the views alive while they are in use; nobody waits for it, since a tensor belongs to one run at a time.
        lock (_views)
        {
            if (_views.TryGetValue((first, count), out var view))
            {
                run(state, view.Input, view.Output);
                return;
            }
            view = View(first, count);
            // Whole batches and single items come again and again; what lies between is rare, and there are too many of them to keep.
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
                : View(_halfOutput ?? _output, _layout.HalfOutput, first, count, _layout.Dimension, _layout.OutputShapeOf(count)));
        }
        catch
        {
            input.Dispose();
            throw;
        }
    }

    private static OrtValue View(AlignedBuffer buffer, bool half, long first, long count, long length, long[] shape)
    {
        var (type, size) = half ? (TensorElementType.Float16, 2L) : (TensorElementType.Float, 4L);
        var start = (nint)(first * length * size);
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, type, shape, buffer.Address + start, count * length * size);
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
