using System.Numerics;
using System.Text.Json;
using Embeddings.Core;
using Embeddings.Core.Faces;
using Embeddings.Core.Imaging;
using Embeddings.Core.Models;
using PixelFormat = Embeddings.Core.PixelFormat;

namespace Embeddings.Testing;

/// <summary>A real photo of one person, with what another detector found in it.</summary>
/// <param name="Path">Path of the photo.</param>
/// <param name="Person">The person.</param>
/// <param name="Box">Box of the face, pixels.</param>
/// <param name="Landmarks">Landmarks of the face.</param>
internal sealed record PersonPhoto(string Path, string Person, FaceBox Box, Landmarks Landmarks)
{
    /// <summary>Content of the file.</summary>
    public byte[] File => System.IO.File.ReadAllBytes(Path);

    /// <summary>All photos of faces.jsonl.</summary>
    public static IReadOnlyList<PersonPhoto> All() =>
        [.. System.IO.File.ReadLines(Material.Path("faces.jsonl")).Where(line => line.Length > 0).Select(line => Of(JsonDocument.Parse(line).RootElement))];

    private static PersonPhoto Of(JsonElement line)
    {
        var box = line.GetProperty("bbox");
        var points = line.GetProperty("landmarks").EnumerateArray().Select(at => new Vector2(at[0].GetSingle(), at[1].GetSingle())).ToArray();
        return new(
            Material.Path(line.GetProperty("path").GetString()!.Split('/')),
            line.GetProperty("media_store_id").GetString()!,
            new(Side("x"), Side("y"), Side("width"), Side("height")),
            new(points[0], points[1], points[2], points[3], points[4]));

        float Side(string name) => box.GetProperty(name).GetSingle();
    }
}

/// <summary>A group photo made of single ones.</summary>
/// <param name="Pixels">RGB pixels.</param>
/// <param name="Width">Width, pixels.</param>
/// <param name="Height">Height, pixels.</param>
/// <param name="Faces">The faces, with boxes and landmarks in the group photo.</param>
internal sealed record GroupPhoto(byte[] Pixels, int Width, int Height, IReadOnlyList<PersonPhoto> Faces)
{
    private const int Columns = 6;
    private const int Rows = 5;

    /// <summary>
    /// A group photo of 12 megapixels with all faces of the material, at seeded places, of widths evenly spread over a range.
    /// </summary>
    public static GroupPhoto Of(int seed, float smallest = 42, float largest = 200)
    {
        const int Width = 4_000, Height = 3_000;
        var random = new Random(seed);
        var pixels = new byte[Width * Height * 3];
        for (var i = 0; i < pixels.Length; i++)
        {
            var (x, y) = (i / 3 % Width, i / 3 / Width);
            pixels[i] = (byte)(90 + (60 * Math.Sin((y / 300.0) + (i % 3))) + (40 * Math.Cos(x / 500.0)));
        }
        var faces = PersonPhoto.All();
        var cells = Enumerable.Range(0, Columns * Rows).ToArray();
        random.Shuffle(cells);
        var placed = new List<PersonPhoto>();
        for (var i = 0; i < faces.Count; i++)
        {
            var side = smallest + ((largest - smallest) * i / (faces.Count - 1));
            placed.Add(Place(faces[i], side / faces[i].Box.Width, cells[i], random, pixels, Width, Height));
        }
        return new(pixels, Width, Height, placed);
    }

    /// <summary>As a JPEG file.</summary>
    public byte[] ToJpeg() => TestImages.Encode(Pixels, Width, Height, 3, ".jpg[Q=92]");

    // Scales the photo, cuts it around the face to the size of a cell, and puts it somewhere in the cell.
    private static PersonPhoto Place(PersonPhoto face, float scale, int cell, Random random, byte[] pixels, int width, int height)
    {
        using var file = EncodedImage.Open(face.File, new());
        using var photo = Photo.Decode(file, CancellationToken.None);
        using var scaled = photo.Resize(
            (int)MathF.Round(photo.Width * scale), (int)MathF.Round(photo.Height * scale), Interpolation.Bicubic);
        var (cellWidth, cellHeight) = (width / Columns, height / Rows);
        var box = face.Box;
        var fromX = (int)Math.Clamp(((box.X + (box.Width / 2)) * scale) - (cellWidth / 2), 0, Math.Max(scaled.Width - cellWidth, 0));
        var fromY = (int)Math.Clamp(((box.Y + (box.Height / 2)) * scale) - (cellHeight / 2), 0, Math.Max(scaled.Height - cellHeight, 0));
        var (partWidth, partHeight) = (Math.Min(scaled.Width, cellWidth), Math.Min(scaled.Height, cellHeight));
        var toX = (cell % Columns * cellWidth) + random.Next(cellWidth - partWidth + 1);
        var toY = (cell / Columns * cellHeight) + random.Next(cellHeight - partHeight + 1);
        for (var y = 0; y < partHeight; y++)
        {
            scaled.Pixels.Slice((((fromY + y) * scaled.Width) + fromX) * 3, partWidth * 3)
                .CopyTo(pixels.AsSpan((((toY + y) * width) + toX) * 3));
        }
        var shift = new Vector2(toX - fromX, toY - fromY);
        Vector2 At(Vector2 point) => (point * scale) + shift;
        var marks = face.Landmarks;
        return face with
        {
            Box = new((box.X * scale) + shift.X, (box.Y * scale) + shift.Y, box.Width * scale, box.Height * scale),
            Landmarks = new(At(marks.LeftEye), At(marks.RightEye), At(marks.Nose), At(marks.LeftMouthCorner), At(marks.RightMouthCorner)),
        };
    }
}
