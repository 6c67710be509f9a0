using Embeddings.Tooling.Charts;
using Embeddings.Tooling.Items;
using Embeddings.V1;
using SkiaSharp;

namespace Embeddings.Tooling.Photos;

/// <summary>A face to draw.</summary>
/// <param name="Box">Box in pixels of the upright photo.</param>
/// <param name="Landmarks">Landmarks in pixels of the upright photo, or null.</param>
/// <param name="Label">Text above the box; empty for none.</param>
/// <param name="IsLeftOut">Whether the face was left out: its box is gray and dashed.</param>
internal sealed record DrawnFace(BoundingBox Box, FaceLandmarks? Landmarks, string Label, bool IsLeftOut);

/// <summary>Writes a photo with boxes, landmarks, and names.</summary>
internal static class PhotoDrawing
{
    private const int Quality = 92;

    // Lines and text have the same share of the image in photos of all sizes.
    private const float LineShare = 1 / 300f;
    private const float TextShare = 1 / 40f;

    private static readonly SKColor Found = SKColor.Parse("#00b050");
    private static readonly SKColor LeftOut = SKColor.Parse("#a0a0a0");
    private static readonly SKColor Points = SKColor.Parse("#ffd400");

    private static readonly Dictionary<string, SKEncodedImageFormat> Formats = new(StringComparer.OrdinalIgnoreCase)
    {
        [".jpg"] = SKEncodedImageFormat.Jpeg,
        [".jpeg"] = SKEncodedImageFormat.Jpeg,
        [".png"] = SKEncodedImageFormat.Png,
        [".webp"] = SKEncodedImageFormat.Webp,
    };

    /// <summary>Extensions of the files that can be written.</summary>
    public static IReadOnlyCollection<string> Extensions => Formats.Keys;

    /// <summary>Draws the faces and returns the file.</summary>
    /// <param name="photo">Content of the photo's file.</param>
    /// <param name="info">Size and rotation that the coordinates of the faces refer to.</param>
    /// <param name="faces">The faces.</param>
    /// <param name="extension">One of <see cref="Extensions"/>.</param>
    /// <param name="cancellationToken">Ends the decoding.</param>
    /// <exception cref="ToolException">The photo is not the one that the coordinates refer to.</exception>
    public static byte[] Draw(
        ReadOnlyMemory<byte> photo, PhotoInfo info, IReadOnlyList<DrawnFace> faces, string extension, CancellationToken cancellationToken = default)
    {
        using var decoded = UprightPhoto.Decode(photo, cancellationToken: cancellationToken);
        using var upright = UprightPhoto.Turn(decoded, info.Rotation);
        if ((upright.Width, upright.Height) != (info.Width, info.Height))
        {
            throw new ToolException(
                $"The server says that the photo has {info.Width}x{info.Height} pixels; it has {upright.Width}x{upright.Height}.");
        }
        using (var canvas = new SKCanvas(upright))
        {
            var side = Math.Max(upright.Width, upright.Height);
            foreach (var face in faces)
            {
                Draw(canvas, face, Math.Max(1, side * LineShare), Math.Max(10, side * TextShare));
            }
        }
        using var image = SKImage.FromBitmap(upright);
        using var file = image.Encode(Formats[extension], Quality)
            ?? throw new ToolException($"A photo of {upright.Width}x{upright.Height} pixels cannot be written as {extension}. Use .png.");
        return file.ToArray();
    }

    private static void Draw(SKCanvas canvas, DrawnFace face, float line, float text)
    {
        using var pen = new SKPaint { Color = face.IsLeftOut ? LeftOut : Found, IsStroke = true, StrokeWidth = line, IsAntialias = true };
        using var dashes = face.IsLeftOut ? SKPathEffect.CreateDash([4 * line, 3 * line], 0) : null;
        pen.PathEffect = dashes;
        canvas.DrawRect(face.Box.X, face.Box.Y, face.Box.Width, face.Box.Height, pen);
        using var fill = new SKPaint { Color = Points, IsAntialias = true };
        foreach (var point in face.Landmarks?.Points() ?? [])
        {
            canvas.DrawCircle(point.X, point.Y, 1.5f * line, fill);
        }
        if (face.Label.Length > 0 && Chart.HasFonts)
        {
            Label(canvas, face, pen.Color, text);
        }
    }

    // Above the box, or in it if there is no room above.
    private static void Label(SKCanvas canvas, DrawnFace face, SKColor color, float size)
    {
        var label = string.Concat(face.Label.Select(c => char.IsControl(c) ? ' ' : c));
        using var typeface = TypefaceOf(label);
        using var font = new SKFont(typeface, size);
        var width = font.MeasureText(label) + (size / 2);
        var bounds = canvas.DeviceClipBounds;
        var x = Math.Clamp(face.Box.X, 0, Math.Max(0, bounds.Width - width));
        var top = face.Box.Y >= size * 1.3f ? face.Box.Y - (size * 1.3f) : Math.Max(face.Box.Y, 0);
        using var back = new SKPaint { Color = color };
        using var front = new SKPaint { Color = SKColors.White, IsAntialias = true };
        canvas.DrawRect(x, top, width, size * 1.3f, back);
        canvas.DrawText(label, x + (size / 4), top + size, SKTextAlign.Left, font, front);
    }

    // Without serifs if the machine has such a font; another one if that lacks a letter.
    private static SKTypeface TypefaceOf(string text)
    {
        var fonts = SKFontManager.Default;
        var family = fonts.FontFamilies.FirstOrDefault(name => name.EndsWith("Sans", StringComparison.Ordinal));
        var byDefault = (family is null ? null : fonts.MatchFamily(family)) ?? SKTypeface.Default;
        foreach (var rune in text.EnumerateRunes().Where(rune => !byDefault.ContainsGlyph(rune.Value)))
        {
            if (fonts.MatchCharacter(rune.Value) is { } other)
            {
                return other;
            }
        }
        return byDefault;
    }
}
