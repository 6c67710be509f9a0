using System.Numerics;
using System.Text.Json;

namespace Embeddings.Testing;

/// <summary>A photo with one face, and where a detector of others found it.</summary>
/// <param name="File">Path of the photo.</param>
/// <param name="Box">Left, upper, right and lower edge, pixels.</param>
/// <param name="Points">Left eye, right eye, nose, left and right corner of the mouth, pixels.</param>
public sealed record LabelledFace(string File, float[] Box, Vector2[] Points)
{
    /// <summary>Distance between the eyes, pixels.</summary>
    public float EyeDistance => Vector2.Distance(Points[0], Points[1]);

    /// <summary>All faces of <c>faces.csv</c>.</summary>
    public static IReadOnlyList<LabelledFace> All() =>
    [
        .. System.IO.File.ReadLines(Material.Path("faces.csv")).Skip(1).Select(line =>
        {
            // Three plain columns, and two in quotes.
            var parts = line.Split('"');
            var points = JsonSerializer.Deserialize<float[][]>(parts[1])!;
            return new LabelledFace(
                Material.Path(parts[0].Split(',')[2]),
                JsonSerializer.Deserialize<float[]>(parts[3])!,
                [.. points.Select(point => new Vector2(point[0], point[1]))]);
        }),
    ];

    /// <summary>Overlap of the box with another: intersection over union.</summary>
    public float Overlap(ReadOnlySpan<float> other)
    {
        var width = MathF.Min(Box[2], other[2]) - MathF.Max(Box[0], other[0]);
        var height = MathF.Min(Box[3], other[3]) - MathF.Max(Box[1], other[1]);
        var common = MathF.Max(0, width) * MathF.Max(0, height);
        return common / (((Box[2] - Box[0]) * (Box[3] - Box[1])) + ((other[2] - other[0]) * (other[3] - other[1])) - common);
    }
}
