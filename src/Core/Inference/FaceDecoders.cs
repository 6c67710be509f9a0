using Embeddings.Core.Models;

namespace Embeddings.Core.Inference;

/// <summary>
/// Decodes landmarks. The result has ten numbers: x and y of left eye, right eye, nose, left and right corner of the mouth, as
/// seen by the viewer, as shares of the input's width and height.
/// </summary>
internal sealed class LandmarksDecoder : OutputDecoder
{
    private readonly LandmarksSpec _spec;

    /// <exception cref="ModelException">The output does not fit the manifest.</exception>
    public LandmarksDecoder(string file, LandmarksSpec spec, IReadOnlyList<OutputSize> sizes)
        : base(sizes)
    {
        _spec = spec;
        var most = spec.Points.Max(group => group.Max());
        if (sizes[0].Length % 2 != 0 || sizes[0].Length < 2 * (most + 1))
        {
            throw new ModelException(
                file,
                $"output {sizes[0].Name} must have x and y of landmarks 0 to {most}, an even number of at least {2 * (most + 1)} "
                    + $"values; got {sizes[0].Length}");
        }
    }

    protected override float[] DecodeFinite(in ItemOutputs outputs)
    {
        var values = outputs[0];
        var result = new float[2 * _spec.Points.Count];
        for (var i = 0; i < _spec.Points.Count; i++)
        {
            var group = _spec.Points[i];
            var (x, y) = (0f, 0f);
            foreach (var index in group)
            {
                x += values[2 * index];
                y += values[(2 * index) + 1];
            }
            result[2 * i] = x / (group.Count * _spec.Scale);
            result[(2 * i) + 1] = y / (group.Count * _spec.Scale);
        }
        return result;
    }
}

/// <summary>Decodes liveness. The result is one number: the probability that the face is from life, 0 to 1.</summary>
internal sealed class LivenessDecoder : OutputDecoder
{
    private readonly LivenessSpec _spec;

    /// <exception cref="ModelException">The output does not fit the manifest.</exception>
    public LivenessDecoder(string file, LivenessSpec spec, IReadOnlyList<OutputSize> sizes)
        : base(sizes)
    {
        _spec = spec;
        if (sizes[0].Length <= Math.Max(1, spec.LiveClass) || sizes[0].Length > 1_000)
        {
            throw new ModelException(
                file,
                $"output {sizes[0].Name} must have one value for each class, {Math.Max(2, spec.LiveClass + 1)} to 1,000; "
                    + $"got {sizes[0].Length}");
        }
    }

    protected override float[] DecodeFinite(in ItemOutputs outputs)
    {
        Span<float> probabilities = stackalloc float[outputs[0].Length];
        Softmax(outputs[0], probabilities);
        return [probabilities[_spec.LiveClass]];
    }
}

/// <summary>Decodes the pose of a head. The result has three numbers: yaw, pitch and roll in degrees.</summary>
internal sealed class PoseDecoder : OutputDecoder
{
    private readonly PoseSpec _spec;

    /// <exception cref="ModelException">An output does not fit the manifest.</exception>
    public PoseDecoder(string file, PoseSpec spec, IReadOnlyList<OutputSize> sizes)
        : base(sizes)
    {
        _spec = spec;
        if (sizes.FirstOrDefault(size => size.Length is < 2 or > 1_000) is { Length: > 0 } wrong)
        {
            throw new ModelException(file, $"output {wrong.Name} must have one value for each bin, 2 to 1,000; got {wrong.Length}");
        }
    }

    protected override float[] DecodeFinite(in ItemOutputs outputs)
    {
        var result = new float[3];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = _spec.Signs[i] * Angle(outputs[i]);
        }
        return result;
    }

    private float Angle(ReadOnlySpan<float> logits)
    {
        Span<float> probabilities = stackalloc float[logits.Length];
        Softmax(logits, probabilities);
        var mean = 0f;
        for (var i = 0; i < probabilities.Length; i++)
        {
            mean += i * probabilities[i];
        }
        return _spec.FirstBin + (_spec.BinSize * mean);
    }
}
