using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Inference;

/// <summary>
/// Runs a model before it is served. The declarations of a graph are not trusted: the shape and the values of the output, and
/// whether a batch may be larger than 1, come from runs.
/// </summary>
internal sealed class ModelProbe(
    string file, ModelManifest manifest, ModelSignature signature, RuntimeSessions sessions, InferenceOptions options)
{
    private const float SameVector = 0.9999f;

    /// <summary>Finds the tensors' layout, the largest usable batch, and notices for the operator.</summary>
    /// <exception cref="ModelException">The model does not produce vectors of the manifest's dimension.</exception>
    public (TensorLayout Layout, int MaxBatch, IReadOnlyList<string> Notices) Run()
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

        var single = RunAlone(tensor);
        var alone = tensor.Vector(0).ToArray();
        if (!VectorMath.IsFinite(alone))
        {
            throw new ModelException(file, "must produce finite values; got NaN or infinity for an ordinary image");
        }
        var inner = single[0] == 1 ? single[1..] : null;
        var layout = guess with { OutputShape = inner };
        if (fixedBatch == 1)
        {
            IReadOnlyList<string> notices = ["its batch is fixed at 1 in the file: it runs one item at a time"];
            return (layout, 1, manifest.MaxBatch == 1 ? [] : notices);
        }
        if (batch == 1)
        {
            return (layout, 1, []);
        }

        if (RunBatch(tensor, batch) is not { } shape)
        {
            return (layout, 1, ["it fails on more than one item at once: it runs one item at a time"]);
        }
        var similarity = Similarity(alone, tensor.Vector(0));
        if (batch > 2)
        {
            similarity = Math.Min(similarity, Similarity(alone, tensor.Vector(batch - 1)));
        }
        if (similarity < SameVector)
        {
            var reason = $"its vectors depend on their neighbours in a batch (cosine {similarity:F4} to the same item alone)";
            return (layout, 1, [$"{reason}: it runs one item at a time"]);
        }
        var batchFirst = !signature.FixedOutput
            && inner is not null
            && shape.SequenceEqual([tensor.Layout.RowsOf(batch), .. inner]);
        return (batchFirst ? layout : guess, manifest.MaxBatch, []);
    }

    // A file that fixes its batch above 1 runs with empty rows for missing items, which is safe only if rows do not mix.
    private (TensorLayout Layout, int MaxBatch, IReadOnlyList<string> Notices) ProbeFixed(
        BatchTensor tensor, TensorLayout guess, int batch)
    {
        for (var i = 0; i < batch; i++)
        {
            tensor.Item(i).Clear();
        }
        ProbeImage.Draw(tensor.Item(0), manifest.Input, 0);
        var shape = RunAlone(tensor);
        var alone = tensor.Vector(0).ToArray();
        if (!VectorMath.IsFinite(alone))
        {
            throw new ModelException(file, "must produce finite values; got NaN or infinity for an ordinary image");
        }
        for (var i = 1; i < batch; i++)
        {
            ProbeImage.Draw(tensor.Item(i), manifest.Input, i);
        }
        if (RunBatch(tensor, batch) is null || Similarity(alone, tensor.Vector(0)) < SameVector)
        {
            throw new ModelException(
                file, $"has a fixed batch of {batch} in which neighbours change each other's vectors; it cannot be served");
        }
        var layout = shape[0] == batch ? guess with { OutputShape = shape[1..] } : guess;
        return (layout, batch, [$"its batch is fixed at {batch} in the file: fewer items cost as much"]);
    }

    private long[] RunAlone(BatchTensor tensor)
    {
        try
        {
            var shape = RunOnce(tensor, 1);
            var rows = tensor.Layout.RowsOf(1);
            return Count(shape) == rows * (long)manifest.Dimension
                ? shape
                : throw new ModelException(
                    file,
                    $"output {signature.Output} must have {manifest.Dimension} values per item as in the manifest; "
                        + $"got [{string.Join(", ", shape)}] for a batch of {rows}");
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(file, $"cannot run: {e.Message}", e);
        }
    }

    private long[]? RunBatch(BatchTensor tensor, int count)
    {
        try
        {
            var shape = RunOnce(tensor, count);
            return Count(shape) == (long)tensor.Layout.RowsOf(count) * manifest.Dimension ? shape : null;
        }
        catch (OnnxRuntimeException)
        {
            return null;
        }
    }

    // The runtime allocates the output, since its shape is not known. Vectors are copied if there are as many values as
    // expected.
    private long[] RunOnce(BatchTensor tensor, int count)
    {
        long[] shape = [];
        sessions.Use(0, 0, (session, runOptions, _) => tensor.Use(0, count, 0, (_, input, _) =>
        {
            using var results = session.Run(runOptions, [signature.Input], [input], [signature.Output]);
            shape = results[0].GetTensorTypeAndShape().Shape;
            if (Count(shape) == (long)tensor.Layout.RowsOf(count) * manifest.Dimension)
            {
                tensor.CopyOutput(0, count, results[0]);
            }
        }));
        return shape;
    }

    private static long Count(long[] shape) => shape.Aggregate(1L, (product, size) => product * size);

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
