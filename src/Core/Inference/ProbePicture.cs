using Embeddings.Core.Models;
namespace Embeddings.Core.Inference;

/// <summary>Pictures to try a model with, always the same.</summary>
internal static class ProbePicture
{
    /// <summary>
    /// Draws picture <paramref name="number"/> in the model's scale: 0 an ordinary one of middling contrast, 1 black, 2 white, 3 black and white stripes,
    /// others noise. The extremes are there for models that quantize by the range of the whole batch.
    /// </summary>
    public static void Draw(Span<float> tensor, InputSpec input, int number)
    {
        var plane = input.Width * input.Height;
        // A linear congruential generator (Knuth's MMIX constants): the same noise on every machine.
        var state = (ulong)number;
        for (var i = 0; i < tensor.Length; i++)
        {
            var (channel, x, y) = (i / plane, i % plane % input.Width, i % plane / input.Width);
            state = unchecked((state * 6364136223846793005) + 1442695040888963407);
            var noise = state >> 56;
            var pixel = number switch
            {
                0 => 96 + (64f * x / input.Width) - (48f * y / input.Height) + (noise / 16f) + (((x / 9) + (y / 7) + channel) % 3 * 12),
                1 => 0,
                2 => 255,
                3 => x / 4 % 2 * 255,
                _ => noise,
            };
            tensor[i] = (pixel - input.Mean[channel]) / input.Std[channel];
        }
    }
}
