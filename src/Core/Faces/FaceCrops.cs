using Embeddings.Core.Imaging;
using Embeddings.Core.Models;

namespace Embeddings.Core.Faces;

/// <summary>The parts of a photo that models and users get of a face.</summary>
internal static class FaceCrops
{
    /// <summary>The part for a landmark model.</summary>
    public static SourceBox ForLandmarks(FaceBox box, LandmarksSpec spec)
    {
        var (width, height) = ((double)box.Width * spec.CropScale, (double)box.Height * spec.CropScale * spec.CropHeight);
        var (x, y) = (box.X + (box.Width / 2), box.Y + (box.Height * (0.5 + spec.CropDown)));
        return new(x - (width / 2), y - (height / 2), width, height);
    }

    /// <summary>The part around a box with sides <paramref name="scale"/> times as long.</summary>
    public static SourceBox Around(FaceBox box, float scale)
    {
        var (width, height) = ((double)box.Width * scale, (double)box.Height * scale);
        return new(box.X + ((box.Width - width) / 2), box.Y + ((box.Height - height) / 2), width, height);
    }

    /// <summary>
    /// The part around a box with sides <paramref name="scale"/> times as long, made smaller to fit into the photo and moved
    /// into it.
    /// </summary>
    public static SourceBox Within(FaceBox box, float scale, int width, int height)
    {
        var fitting = Math.Min(scale, Math.Min(width / box.Width, height / box.Height));
        var part = Around(box, fitting);
        return part with
        {
            Left = Math.Clamp(part.Left, 0, Math.Max(width - part.Width, 0)),
            Top = Math.Clamp(part.Top, 0, Math.Max(height - part.Height, 0)),
        };
    }

    /// <summary>Draws a part stretched to the model's input; beyond the photo, its edge continues.</summary>
    public static void Draw((Photo Photo, SourceBox Box, InputSpec Input) part, Span<byte> pixels)
    {
        var (photo, box, input) = part;
        var placement = new Placement(input.Width, input.Height, 0, 0);
        Resampler.Draw(photo.View, box, placement, input.Interpolation, pixels, input.Width, input.Height);
    }

    /// <summary>Aligns a face, as RGB pixels of some size, and measures its quality.</summary>
    public static (ReadOnlyMemory<byte> Crop, FaceQuality Quality) Align(
        Photo photo, Landmarks landmarks, (int Width, int Height) size, HeadPose pose, float confidence)
    {
        const int Side = FaceAligner.TemplateSide;
        var crop = Align(photo, landmarks, size.Width, size.Height);
        var template = size == (Side, Side) ? crop : Align(photo, landmarks, Side, Side);
        return (crop, FaceMeasures.Quality(template, Side, landmarks, pose, confidence));
    }

    private static byte[] Align(Photo photo, Landmarks landmarks, int width, int height)
    {
        var crop = new byte[width * height * 3];
        if (photo.Channels == 1)
        {
            var gray = crop.AsSpan(2 * width * height);
            FaceAligner.Align(photo.View, landmarks, gray, width, height);
            for (var i = 0; i < gray.Length; i++)
            {
                // Behind the gray that is still to be read.
                crop.AsSpan(3 * i, 3).Fill(gray[i]);
            }
            return crop;
        }
        FaceAligner.Align(photo.View, landmarks, crop, width, height);
        if (photo.Format == PixelFormat.Bgr8)
        {
            for (var i = 0; i < crop.Length; i += 3)
            {
                (crop[i], crop[i + 2]) = (crop[i + 2], crop[i]);
            }
        }
        return crop;
    }
}
