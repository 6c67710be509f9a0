using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Inference;

/// <summary>The results of the test runs of a model.</summary>
/// <param name="Layout">Sizes and types of its tensors.</param>
/// <param name="MaxBatch">Its largest usable batch.</param>
/// <param name="Notices">Notices for the operator.</param>
/// <param name="Decoder">Decodes its outputs; null if it embeds.</param>
internal sealed record ProbeResult(TensorLayout Layout, int MaxBatch, IReadOnlyList<string> Notices, OutputDecoder? Decoder);

/// <summary>
/// Runs a model before it is served. The declarations of a graph are not trusted: the shapes and the values of the outputs,
/// and whether a batch may be larger than 1, come from runs.
/// </summary>
internal sealed class ModelProbe(
    string file, ModelManifest manifest, ModelSignature signature, RuntimeSessions sessions, InferenceOptions options)
{
    private const float SameVector = 0.9999f;

    // Of the largest value of an output; outputs that are not vectors contain a few values that matter among many that do
    // not, which a cosine would hide.
    private const float SameOutput = 0.01f;

    /// <summary>Makes the test runs.</summary>
    /// <exception cref="ModelException">The model does not produce what its manifest says.</exception>
    public ProbeResult Run()
    {
        var fixedBatch = signature.FixedBatch;
        var buckets = options.BatchBuckets ?? options.Provider != ExecutionProvider.Cpu;
        var guess = new TensorLayout(
            manifest.Input,
            manifest.Dimension,
            signature.HalfInput,
            signature.HalfOutput,
            OutputShape: null,
            fixedBatch > 1 ? fixedBatch : 0,
            buckets && fixedBatch == 0 && manifest.MaxBatch > 1);
        var batch = manifest.MaxBatch;
        if (fixedBatch > 0)
        {
            batch = fixedBatch;
        }
        else if (options.ProbeBatch > 0)
        {
            batch = Math.Min(batch, options.ProbeBatch);
        }
        using var tensor = new BatchTensor(guess, batch);
        if (fixedBatch > 1)
        {
            return ProbeFixed(tensor, guess, batch);
        }
        for (var i = 0; i < batch; i++)
        {
            // The ordinary image at both ends, others between.
            ProbeImage.Draw(tensor.Item(i), manifest.Input, i == batch - 1 && batch > 2 ? 0 : i);
        }

        var alone = RunAlone(tensor, out var decoder);
        var inner = manifest.Embeds && alone.Shapes[0][0] == 1 ? alone.Shapes[0][1..] : null;
        var layout = guess with { OutputShape = inner };
        if (fixedBatch == 1)
        {
            IReadOnlyList<string> notices = ["its batch is fixed at 1 in the file: it runs one item at a time"];
            return new(layout, 1, manifest.MaxBatch == 1 ? [] : notices, decoder);
        }
        if (batch == 1)
        {
            return new(layout, 1, [], decoder);
        }

        if (RunBatch(tensor, batch, alone) is not { } together)
        {
            return new(layout, 1, ["it fails on more than one item at once: it runs one item at a time"], decoder);
        }
        var difference = Difference(alone, together, 0);
        if (batch > 2)
        {
            difference ??= Difference(alone, together, batch - 1);
        }
        if (difference is not null)
        {
            return new(layout, 1, [$"its {difference}: it runs one item at a time"], decoder);
        }
        var batchFirst = !signature.FixedOutput
            && inner is not null
            && together.Shapes[0].SequenceEqual([tensor.Layout.RowsOf(batch), .. inner]);
        return new(batchFirst ? layout : guess, manifest.MaxBatch, [], decoder);
    }

    // A file that fixes its batch above 1 runs with empty rows for missing items, which is safe only if rows do not mix.
    private ProbeResult ProbeFixed(BatchTensor tensor, TensorLayout guess, int batch)
    {
        for (var i = 0; i < batch; i++)
        {
            tensor.Item(i).Clear();
        }
        ProbeImage.Draw(tensor.Item(0), manifest.Input, 0);
        var alone = RunAlone(tensor, out var decoder);
        for (var i = 1; i < batch; i++)
        {
            ProbeImage.Draw(tensor.Item(i), manifest.Input, i);
        }
        if (RunBatch(tensor, batch, alone) is not { } together || Difference(alone, together, 0) is not null)
        {
            throw new ModelException(
                file, $"has a fixed batch of {batch} in which neighbours change each other's results; it cannot be served");
        }
        var shape = alone.Shapes[0];
        var layout = manifest.Embeds && shape[0] == batch ? guess with { OutputShape = shape[1..] } : guess;
        return new(layout, batch, [$"its batch is fixed at {batch} in the file: fewer items cost as much"], decoder);
    }

    private Outputs RunAlone(BatchTensor tensor, out OutputDecoder? decoder)
    {
        Outputs alone;
        try
        {
            alone = RunOnce(tensor, 1);
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(file, $"cannot run: {e.Message}", e);
        }
        var rows = tensor.Layout.RowsOf(1);
        for (var i = 0; i < alone.Shapes.Length; i++)
        {
            var (name, shape, length) = (signature.Outputs[i], alone.Shapes[i], alone.Values[i].Length);
            if (manifest.Embeds && length != rows * (long)manifest.Dimension)
            {
                throw new ModelException(
                    file,
                    $"output {name} must have {manifest.Dimension} values per item as in the manifest; "
                        + $"got [{string.Join(", ", shape)}] for a batch of {rows}");
            }
            if (length == 0 || length % rows != 0)
            {
                throw new ModelException(
                    file,
                    $"output {name} must have the same number of values for every item; "
                        + $"got [{string.Join(", ", shape)}] for a batch of {rows}");
            }
        }
        var sizes = alone.Shapes.Select((shape, i) =>
        {
            var length = alone.Values[i].Length / rows;
            // A scalar per item can come as [batch].
            return new OutputSize(signature.Outputs[i], length, length % shape[^1] == 0 ? (int)shape[^1] : 1);
        });
        decoder = OutputDecoder.Create(file, manifest, [.. sizes]);
        return alone.Values.All(values => VectorMath.IsFinite(values.AsSpan(0, values.Length / rows)))
            ? alone with { Rows = rows }
            : throw new ModelException(file, "must produce finite values; got NaN or infinity for an ordinary image");
    }

    // Null if the run fails, or its outputs do not have as many values per item as those of one item.
    private Outputs? RunBatch(BatchTensor tensor, int count, Outputs alone)
    {
        try
        {
            var together = RunOnce(tensor, count) with { Rows = tensor.Layout.RowsOf(count) };
            var fits = alone.Values.Zip(together.Values)
                .All(pair => pair.First.Length * (long)together.Rows == pair.Second.Length * (long)alone.Rows);
            return fits ? together : null;
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    // The runtime allocates the outputs, since their shapes are not known.
    private Outputs RunOnce(BatchTensor tensor, int count)
    {
        long[][] shapes = [];
        float[][] values = [];
        sessions.Use(0, 0, (session, runOptions, _) => tensor.Use(0, count, 0, (_, input, _) =>
        {
            using var results = session.Run(runOptions, [signature.Input], [input], signature.Outputs);
            using var outputs = new RunOutputs(results);
            shapes = [.. results.Select(result => result.GetTensorTypeAndShape().Shape)];
            // A scalar has no sizes.
            shapes = [.. shapes.Select(shape => shape.Length > 0 ? shape : [1])];
            values = [.. Enumerable.Range(0, shapes.Length).Select(i => outputs[i].ToArray())];
        }));
        return new(shapes, values, 1);
    }

    // What differs between an item alone and in a batch, or null if nothing does.
    private string? Difference(Outputs alone, Outputs together, int item)
    {
        for (var i = 0; i < alone.Values.Length; i++)
        {
            var one = alone.Item(i, 0);
            var other = together.Item(i, item);
            if (manifest.Embeds)
            {
                var similarity = Similarity(one, other);
                if (similarity < SameVector)
                {
                    return $"vectors depend on their neighbours in a batch (cosine {similarity:F4} to the same item alone)";
                }
                continue;
            }
            var (largest, difference) = (0f, 0f);
            for (var k = 0; k < one.Length; k++)
            {
                largest = MathF.Max(largest, MathF.Abs(one[k]));
                difference = MathF.Max(difference, MathF.Abs(one[k] - other[k]));
            }
            // Not less than or equal, so that NaN is a difference.
            if (!(difference <= SameOutput * largest))
            {
                return $"output {signature.Outputs[i]} depends on the neighbours in a batch (by up to {difference:G3}, "
                    + $"with values up to {largest:G3})";
            }
        }
        return null;
    }

    private static float Similarity(ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        // Two vectors of zeros are the same, though they have no cosine.
        if (left.SequenceEqual(right))
        {
            return 1;
        }
        var cosine = VectorMath.CosineSimilarity(left, right);
        return float.IsNaN(cosine) ? 0 : cosine;
    }

    /// <summary>Outputs of one run with some rows.</summary>
    private sealed record Outputs(long[][] Shapes, float[][] Values, int Rows)
    {
        public ReadOnlySpan<float> Item(int output, int item)
        {
            var length = Values[output].Length / Rows;
            return Values[output].AsSpan(item * length, length);
        }
    }
}

/// <summary>Images to probe a model with, always the same.</summary>
internal static class ProbeImage
{
    /// <summary>
    /// Draws image <paramref name="number"/> in the model's scale: 0 an ordinary image of medium contrast, 1 black, 2 white, 3
    /// black and white stripes, others noise. The extremes are for models that quantize by the range of the whole batch.
    /// </summary>
    public static void Draw(Span<float> tensor, InputSpec input, int number)
    {
        var plane = input.Width * input.Height;
        // A linear congruential generator (Knuth's MMIX constants): the same noise on every machine.
        var state = (ulong)number;
        for (var i = 0; i < tensor.Length; i++)
        {
            var channel = i / plane;
            var x = i % plane % input.Width;
            var y = i % plane / input.Width;
            state = unchecked((state * 6364136223846793005) + 1442695040888963407);
            var noise = state >> 56;
            var pixel = number switch
            {
                0 => 96 + (64f * x / input.Width) - (48f * y / input.Height) + (noise / 16f)
                    + (((x / 9) + (y / 7) + channel) % 3 * 12),
                1 => 0,
                2 => 255,
                3 => x / 4 % 2 * 255,
                _ => noise,
            };
            tensor[i] = (pixel - input.Mean[channel]) / input.Std[channel];
        }
    }
}
