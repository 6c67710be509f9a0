using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>
/// Tries a model on labelled pictures with the server's own preprocessing, in batches, and once more with red and blue swapped: a wrong colour order
/// still "works", only worse, and nothing but such a comparison shows it.
/// </summary>
internal sealed class ModelChecker(EmbeddingSession model, Preprocessor preprocessor)
{
    private const int ComparedAlone = 16;

    /// <exception cref="InvalidDataException">Too few pictures can be embedded for a comparison.</exception>
    public CheckReport Check(IReadOnlyList<LabelledPicture> pictures, Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        var input = model.Manifest.Input;
        var turned = input with { ColorOrder = input.ColorOrder == ColorOrder.Rgb ? ColorOrder.Bgr : ColorOrder.Rgb };
        using var tensor = model.CreateTensor();
        using var other = model.CreateTensor();
        List<string> labels = [], skipped = [];
        List<float[]> vectors = [], swapped = [];
        var (waiting, lowest, compared) = (new List<string>(), 1.0, 0);

        void Flush()
        {
            if (waiting.Count == 0)
            {
                return;
            }
            var (made, turnedOnes) = (Run(tensor, waiting.Count), Run(other, waiting.Count));
            for (var i = 0; i < waiting.Count; i++)
            {
                if (compared++ < ComparedAlone)
                {
                    model.Run(0, tensor, i, 1);
                    lowest = made[i] is { } batched && Finished(tensor.Vector(i)) is { } alone ? Math.Min(lowest, Cosine.Similarity(batched, alone)) : lowest;
                }
                if (made[i] is { } vector && turnedOnes[i] is { } turnedVector)
                {
                    labels.Add(waiting[i]);
                    vectors.Add(vector);
                    swapped.Add(turnedVector);
                }
            }
            waiting.Clear();
        }

        foreach (var (picture, number) in pictures.Select((picture, i) => (picture, i)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                var source = ImageInput.FromFile(File.ReadAllBytes(picture.Path), picture.Landmarks);
                using var prepared = preprocessor.Prepare(source, input);
                prepared.WriteTo(tensor.Item(waiting.Count), input);
                prepared.WriteTo(other.Item(waiting.Count), turned);
                waiting.Add(picture.Label);
            }
            catch (Exception e) when (e is Fault or IOException or UnauthorizedAccessException)
            {
                skipped.Add($"{picture.Path}: {e.Message}");
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

    private static CheckReport Report(List<string> labels, List<float[]> vectors, List<float[]> swapped, List<string> skipped, double lowest)
    {
        var (same, different) = Pairs(labels, vectors);
        if (same.Count == 0 || different.Count == 0)
        {
            throw new InvalidDataException($"only {vectors.Count} pictures could be embedded, too few to compare; the first that could not: {skipped.FirstOrDefault()}");
        }
        var (swappedSame, swappedDifferent) = Pairs(labels, swapped);
        return new(vectors.Count, labels.Distinct().Count(), skipped, same, different, Separation.Of(same, different), Rank1(labels, vectors),
            Separation.Of(swappedSame, swappedDifferent), lowest);
    }

    private static (List<float> Same, List<float> Different) Pairs(List<string> labels, List<float[]> vectors)
    {
        List<float> same = [], different = [];
        for (var i = 0; i < vectors.Count; i++)
        {
            for (var j = i + 1; j < vectors.Count; j++)
            {
                (labels[i] == labels[j] ? same : different).Add(Cosine.Similarity(vectors[i], vectors[j]));
            }
        }
        return (same, different);
    }

    private static double Rank1(List<string> labels, List<float[]> vectors)
    {
        var asked = Enumerable.Range(0, vectors.Count).Where(i => labels.Count(label => label == labels[i]) > 1).ToList();
        var right = asked.Count(i =>
        {
            var nearest = Enumerable.Range(0, vectors.Count).Where(j => j != i).MaxBy(j => Cosine.Similarity(vectors[i], vectors[j]));
            return labels[nearest] == labels[i];
        });
        return right / (double)asked.Count;
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
