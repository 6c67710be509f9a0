using Embeddings.Core.Models;
using Embeddings.Primitives.Numerics;
using Microsoft.ML.OnnxRuntime;

namespace Embeddings.Core.Inference;

/// <summary>
/// Runs a model before anyone depends on it. What a graph declares is not trusted: the output's shape, its numbers, and whether a batch may be larger
/// than 1 come from runs.
/// </summary>
internal sealed class ModelProbe(string file, ModelManifest manifest, ModelSignature signature, RuntimeSessions sessions, InferenceOptions options)
{
    private const float SameVector = 0.9999f;

    /// <summary>Finds the tensors' layout and the largest batch that can be trusted, with what an operator should know.</summary>
    /// <exception cref="ModelException">It gives no vectors of the manifest's dimension.</exception>
    public (TensorLayout Layout, int MaxBatch, IReadOnlyList<string> Notices) Run()
    {
        var fixedBatch = signature.FixedBatch;
        var guess = new TensorLayout(
            manifest.Input, manifest.Dimension, signature.HalfInput, signature.HalfOutput, null, fixedBatch > 1 ? fixedBatch : 0,
            fixedBatch == 0 && manifest.MaxBatch > 1 && (options.BatchBuckets ?? options.Provider != ExecutionProvider.Cpu));
        var batch = fixedBatch > 0 ? fixedBatch : options.ProbeBatch > 0 ? Math.Min(manifest.MaxBatch, options.ProbeBatch) : manifest.MaxBatch;
        using var tensor = new OrtBatchTensor(guess, batch);
        if (fixedBatch > 1)
        {
            return ProbeFixed(tensor, guess, batch);
        }
        for (var i = 0; i < batch; i++)
        {
            // The ordinary picture at both ends, others between.
            ProbePicture.Draw(tensor.Item(i), manifest.Input, i == batch - 1 && batch > 2 ? 0 : i);
        }

        var single = RunAlone(tensor);
        var alone = tensor.Vector(0).ToArray();
        if (!VectorMath.IsFinite(alone))
        {
            throw new ModelException(file, "gives NaN or infinity for an ordinary picture");
        }
        var inner = single[0] == 1 ? single[1..] : null;
        var layout = guess with { OutputShape = inner };
        if (fixedBatch == 1)
        {
            return (layout, 1, manifest.MaxBatch == 1 ? [] : ["its batch is fixed at 1 in the file: it runs one item at a time"]);
        }
        if (batch == 1)
        {
            return (layout, 1, []);
        }

        if (RunBatch(tensor, batch) is not { } shape)
        {
            return (layout, 1, ["it fails on more than one item at once: it runs one item at a time"]);
        }
        var similarity = Math.Min(Same(alone, tensor.Vector(0)), batch > 2 ? Same(alone, tensor.Vector(batch - 1)) : 1);
        if (similarity < SameVector)
        {
            var why = $"its vectors depend on their neighbours in a batch (cosine {similarity:F4} to the same item alone)";
            return (layout, 1, [$"{why}: it runs one item at a time"]);
        }
        var batchFirst = !signature.FixedOutput && inner is not null && shape.SequenceEqual([tensor.Layout.RowsOf(batch), .. inner]);
        return (batchFirst ? layout : guess, manifest.MaxBatch, []);
    }

    // A file that fixes its batch above 1 is run with empty rows where items are missing, which only does no harm if rows do not mix.
    private (TensorLayout Layout, int MaxBatch, IReadOnlyList<string> Notices) ProbeFixed(OrtBatchTensor tensor, TensorLayout guess, int batch)
    {
        for (var i = 0; i < batch; i++)
        {
            tensor.Item(i).Clear();
        }
        ProbePicture.Draw(tensor.Item(0), manifest.Input, 0);
        var shape = RunAlone(tensor);
        var alone = tensor.Vector(0).ToArray();
        if (!VectorMath.IsFinite(alone))
        {
            throw new ModelException(file, "gives NaN or infinity for an ordinary picture");
        }
        for (var i = 1; i < batch; i++)
        {
            ProbePicture.Draw(tensor.Item(i), manifest.Input, i);
        }
        if (RunBatch(tensor, batch) is null || Same(alone, tensor.Vector(0)) is var cosine && cosine < SameVector)
        {
            throw new ModelException(file, $"has a fixed batch of {batch} in which neighbours change each other's vectors: it cannot be served");
        }
        return (shape[0] == batch ? guess with { OutputShape = shape[1..] } : guess, batch, [$"its batch is fixed at {batch} in the file: fewer items cost as much"]);
    }

    private long[] RunAlone(OrtBatchTensor tensor)
    {
        try
        {
            var shape = RunOnce(tensor, 1);
            return Count(shape) == tensor.Layout.RowsOf(1) * (long)manifest.Dimension
                ? shape
                : throw new ModelException(
                    file, $"output {signature.Output} is [{string.Join(", ", shape)}] for {tensor.Layout.RowsOf(1)} item{(tensor.Layout.RowsOf(1) > 1 ? "s" : "")}, the manifest says dimension {manifest.Dimension}");
        }
        catch (OnnxRuntimeException e)
        {
            throw new ModelException(file, $"cannot run: {e.Message}", e);
        }
    }

    private long[]? RunBatch(OrtBatchTensor tensor, int count)
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

    // Leaves the output to the runtime, since its shape is the question. Vectors are taken over where there are as many values as hoped for.
    private long[] RunOnce(OrtBatchTensor tensor, int count)
    {
        long[] shape = [];
        sessions.Use(0, 0, (session, runOptions, _) => tensor.Use(0, count, 0, (_, input, _) =>
        {
            using var made = session.Run(runOptions, [signature.Input], [input], [signature.Output]);
            shape = made[0].GetTensorTypeAndShape().Shape;
            if (Count(shape) == (long)tensor.Layout.RowsOf(count) * manifest.Dimension)
            {
                tensor.CopyOutput(0, count, made[0]);
            }
        }));
        return shape;
    }

    private static long Count(long[] shape) => shape.Aggregate(1L, (product, size) => product * size);

    // Two vectors of zeros are the same, though they have no cosine.
    private static float Same(ReadOnlySpan<float> left, ReadOnlySpan<float> right) =>
        left.SequenceEqual(right) ? 1 : VectorMath.CosineSimilarity(left, right) is var cosine && float.IsNaN(cosine) ? 0 : cosine;
}
