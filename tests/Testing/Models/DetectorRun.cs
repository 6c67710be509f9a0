using Embeddings.Core;
using Embeddings.Core.Imaging;
using Embeddings.Core.Inference;
using Embeddings.Core.Models;
using NetVips;

namespace Embeddings.Testing.Models;

/// <summary>Runs a detector on whole photos, in batches, as the server prepares images.</summary>
internal static class DetectorRun
{
    /// <summary>The best candidate of each photo in its pixels: box, score, points; empty if there is none.</summary>
    public static float[][] Best(EmbeddingSession model, IReadOnlyList<string> files)
    {
        var preprocessor = new Preprocessor(new ImagingOptions());
        var input = model.Manifest.Input;
        var placements = new List<(Placement Placement, int Width, int Height)>();
        var candidates = Run(model, files.Count, (i, tensor) =>
        {
            using var image = Image.NewFromFile(files[i]);
            placements.Add((Placement.Of(image.Width, image.Height, input), image.Width, image.Height));
            using var prepared = preprocessor.Prepare(ImageInput.FromFile(File.ReadAllBytes(files[i])), input);
            prepared.WriteTo(tensor, input);
        });
        return [.. candidates.Zip(placements, (found, at) =>
        {
            var best = found[..Math.Min(found.Length, 5 + (2 * model.Manifest.Detector!.Keypoints))];
            for (var i = 0; i < best.Length; i++)
            {
                // The fifth number is the score; x and y alternate before and after it.
                best[i] = i == 4 ? best[i]
                    : i % 2 == (i < 4 ? 0 : 1) ? (best[i] - at.Placement.Left) * at.Width / at.Placement.Width
                    : (best[i] - at.Placement.Top) * at.Height / at.Placement.Height;
            }
            return best;
        })];
    }

    /// <summary>
    /// The results of another model on crops of photos: boxes with their sides multiplied, moved into the photo if they exceed
    /// it. Returns the crops as left, upper, right and lower edge, too.
    /// </summary>
    public static (float[] Result, float[] Crop)[] OnCrops(
        EmbeddingSession model, IReadOnlyList<string> files, IReadOnlyList<float[]> boxes, float scale)
    {
        var preprocessor = new Preprocessor(new ImagingOptions());
        var input = model.Manifest.Input;
        var crops = new List<float[]>();
        var results = Run(model, files.Count, (i, tensor) =>
        {
            using var image = Image.NewFromFile(files[i]);
            var box = boxes[i];
            var (width, height) = (box[2] - box[0], box[3] - box[1]);
            var factor = MathF.Min(scale, MathF.Min(image.Width / width, image.Height / height));
            var (w, h) = ((int)(width * factor), (int)(height * factor));
            var x = Math.Clamp((int)(((box[0] + box[2]) / 2) - (w / 2f)), 0, image.Width - w);
            var y = Math.Clamp((int)(((box[1] + box[3]) / 2) - (h / 2f)), 0, image.Height - h);
            crops.Add([x, y, x + w, y + h]);
            using var crop = image.Crop(x, y, w, h);
            using var prepared = preprocessor.Prepare(new(crop.WriteToMemory<byte>(), Core.PixelFormat.Rgb8, w, h), input);
            prepared.WriteTo(tensor, input);
        });
        return [.. results.Zip(crops)];
    }

    private delegate void Fill(int item, Span<float> tensor);

    private static List<float[]> Run(EmbeddingSession model, int count, Fill fill)
    {
        using var tensor = model.CreateTensor();
        var results = new List<float[]>();
        while (results.Count < count)
        {
            var items = Math.Min(tensor.Capacity, count - results.Count);
            for (var i = 0; i < items; i++)
            {
                fill(results.Count + i, tensor.Item(i));
            }
            model.Run(0, tensor, 0, items);
            results.AddRange(Enumerable.Range(0, items).Select(i =>
            {
                var result = tensor.TakeResult(i);
                model.Finish(result);
                return result;
            }));
        }
        return results;
    }
}
