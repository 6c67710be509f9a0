using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>
/// Runs a model on labelled images with the preprocessing of the server, in batches, and again with red and blue swapped:
/// a model with the wrong color order still works, only worse, and only this comparison shows it.
/// </summary>
internal sealed class ModelChecker(EmbeddingSession model, Preprocessor preprocessor)
{
    private const int ComparedAlone = 16;

    /// <exception cref="ToolException">Too few images can be embedded for a comparison.</exception>
    public CheckReport Check(
        IReadOnlyList<LabelledImage> images, Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        var input = model.Manifest.Input;
        // A gray input has no order: the comparison with itself shows no difference.
        var swappedInput = input.ColorOrder switch
        {
            ColorOrder.Rgb => input with { ColorOrder = ColorOrder.Bgr },
            ColorOrder.Bgr => input with { ColorOrder = ColorOrder.Rgb },
            _ => input,
        };
        using var tensor = model.CreateTensor();
        using var other = model.CreateTensor();
        List<string> labels = [], skipped = [];
        List<float[]> vectors = [], swapped = [];
        var waiting = new List<string>();
        var lowest = 1.0;
        var compared = 0;

        void Flush()
        {
            if (waiting.Count == 0)
            {
                return;
            }
            var batch = Run(tensor, waiting.Count);
            var swappedBatch = Run(other, waiting.Count);
            for (var i = 0; i < waiting.Count; i++)
            {
                if (compared++ < ComparedAlone)
                {
                    model.Run(0, tensor, i, 1);
                    if (batch[i] is { } batched && Finished(tensor.Vector(i)) is { } alone)
                    {
                        lowest = Math.Min(lowest, VectorMath.CosineSimilarity(batched, alone));
                    }
                }
                if (batch[i] is { } vector && swappedBatch[i] is { } swappedVector)
                {
                    labels.Add(waiting[i]);
                    vectors.Add(vector);
                    swapped.Add(swappedVector);
                }
            }
            waiting.Clear();
        }

        foreach (var (number, image) in images.Index())
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var source = new ImageInput(File.ReadAllBytes(image.Path), PixelFormat.Encoded, 0, 0, image.Landmarks);
                using var prepared = preprocessor.Prepare(source, input);
                prepared.WriteTo(tensor.Item(waiting.Count), input);
                prepared.WriteTo(other.Item(waiting.Count), swappedInput);
                waiting.Add(image.Label);
            }
            catch (Exception e) when (e is Fault or IOException or UnauthorizedAccessException)
            {
                skipped.Add($"{image.Path}: {e.Message}");
            }
            if (waiting.Count == tensor.Capacity)
            {
                Flush();
            }
            progress?.Invoke(number + 1);
        }
        Flush();
        return Report(labels, vectors, swapped, skipped, lowest);
    }

    private static CheckReport Report(
        List<string> labels, List<float[]> vectors, List<float[]> swapped, List<string> skipped, double lowest)
    {
        var (same, different) = Pairs(labels, vectors);
        if (same.Count == 0 || different.Count == 0)
        {
            throw new ToolException(
                $"Only {vectors.Count} images could be embedded, too few to compare. First error: "
                + skipped.FirstOrDefault());
        }
        var (swappedSame, swappedDifferent) = Pairs(labels, swapped);
        return new(
            vectors.Count,
            labels.Distinct().Count(),
            skipped,
            same,
            different,
            Separation.Of(same, different),
            Rank1(labels, vectors),
            Separation.Of(swappedSame, swappedDifferent),
            DistanceError.Of(labels, vectors, swapped),
            lowest);
    }

    private static (List<float> Same, List<float> Different) Pairs(List<string> labels, List<float[]> vectors)
    {
        List<float> same = [], different = [];
        for (var i = 0; i < vectors.Count; i++)
        {
            for (var j = i + 1; j < vectors.Count; j++)
            {
                (labels[i] == labels[j] ? same : different).Add(VectorMath.CosineSimilarity(vectors[i], vectors[j]));
            }
        }
        return (same, different);
    }

    private static double Rank1(List<string> labels, List<float[]> vectors)
    {
        var all = Enumerable.Range(0, vectors.Count).ToList();
        var queries = all.Where(i => labels.Count(label => label == labels[i]) > 1).ToList();
        var correct = queries.Count(i =>
        {
            var others = all.Where(j => j != i);
            return labels[others.MaxBy(j => VectorMath.CosineSimilarity(vectors[i], vectors[j]))] == labels[i];
        });
        return correct / (double)queries.Count;
    }

    private float[]?[] Run(BatchTensor tensor, int count)
    {
        model.Run(0, tensor, 0, count);
        return [.. Enumerable.Range(0, count).Select(i => Finished(tensor.Vector(i)))];
    }

    private float[]? Finished(ReadOnlySpan<float> raw)
    {
        var vector = raw.ToArray();
        try
        {
            model.Finish(vector);
            return vector;
        }
        catch (Fault)
        {
            return null;
        }
    }
}
