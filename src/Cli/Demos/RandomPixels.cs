using System.Runtime.InteropServices;
using Embeddings.Cli.Sampling;
using Embeddings.V1;
using Google.Protobuf;

namespace Embeddings.Cli.Demos;

/// <summary>What <c>np.random.randn(height, width, 3).astype(np.float32)</c> is elsewhere: normally distributed numbers in a model's own scale.</summary>
internal static class RandomPixels
{
    public static Image Draw(Model model, ulong seed)
    {
        var dice = new Dice(seed);
        var values = new float[model.InputWidth * model.InputHeight * 3];
        for (var i = 0; i < values.Length; i++)
        {
            // Box and Muller: two even numbers make a normal one. The first must not be 0.
            values[i] = MathF.Sqrt(-2 * MathF.Log(1 - dice.Between(0, 1))) * MathF.Cos(2 * MathF.PI * dice.Between(0, 1));
        }
        return new Image
        {
            Pixels = new PixelBuffer
            {
                Width = model.InputWidth,
                Height = model.InputHeight,
                Format = PixelFormat.RgbF32,
                Data = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)),
            },
        };
    }
}
