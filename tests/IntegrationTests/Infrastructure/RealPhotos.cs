using System.Globalization;
using System.Text.Json;
using Embeddings.Testing;
using Embeddings.V1;
using Google.Protobuf;
using Files = Embeddings.Testing.Material;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A photo of one person, with the box and the landmarks that another detector found.</summary>
internal sealed record RealPhoto(string Path, string Person, BoundingBox Box, FaceLandmarks Landmarks)
{
    public string JobId { get; } = System.IO.Path.GetFileNameWithoutExtension(Path);

    public Image Image { get; init; } = new() { Encoded = ByteString.CopyFrom(File.ReadAllBytes(Path)) };

    /// <summary>Returns the share of this box and another that is in both.</summary>
    public double Overlap(BoundingBox box)
    {
        var width = Math.Min(Box.X + Box.Width, box.X + box.Width) - Math.Max(Box.X, box.X);
        var height = Math.Min(Box.Y + Box.Height, box.Y + box.Height) - Math.Max(Box.Y, box.Y);
        var shared = (double)Math.Max(width, 0) * Math.Max(height, 0);
        return shared / ((Box.Width * Box.Height) + (box.Width * box.Height) - shared);
    }
}

/// <summary>The 29 photos of 10 people.</summary>
internal static class RealPhotos
{
    public static IReadOnlyList<RealPhoto> Read() =>
    [
        .. File.ReadLines(Files.Path("faces.csv")).Skip(1).Select(line =>
        {
            // crop,identity,photo,"landmarks","box": only the last two contain commas.
            var quoted = line.Split('"');
            var plain = quoted[0].Split(',');
            var points = JsonSerializer.Deserialize<float[][]>(quoted[1])!
                .Select(point => new Point { X = point[0], Y = point[1] })
                .ToList();
            var box = JsonSerializer.Deserialize<float[]>(quoted[3])!;
            return new RealPhoto(
                Files.Path(plain[2].Split('/')),
                plain[1],
                new() { X = box[0], Y = box[1], Width = box[2] - box[0], Height = box[3] - box[1] },
                new()
                {
                    LeftEye = points[0],
                    RightEye = points[1],
                    Nose = points[2],
                    LeftMouthCorner = points[3],
                    RightMouthCorner = points[4],
                });
        }),
    ];

    public static StreamIngestRequest Ingest(RealPhoto photo, string collection, FaceOptions? options = null) => new()
    {
        ItemId = photo.JobId,
        Collection = collection,
        Photo = new() { JobId = photo.JobId, MediaStoreId = photo.JobId, Photo = photo.Image, Options = options },
    };

    /// <summary>Precision and recall of a grouping over all pairs of faces.</summary>
    /// <param name="faces">For each face its person and its group, null for none.</param>
    public static (double Precision, double Recall) Pairs(IReadOnlyList<(string Person, string? Group)> faces)
    {
        var (together, right, same) = (0, 0, 0);
        for (var i = 0; i < faces.Count; i++)
        {
            for (var j = i + 1; j < faces.Count; j++)
            {
                var isSame = faces[i].Person == faces[j].Person;
                var isTogether = faces[i].Group is { } group && group == faces[j].Group;
                same += isSame ? 1 : 0;
                together += isTogether ? 1 : 0;
                right += isSame && isTogether ? 1 : 0;
            }
        }
        return (together == 0 ? 1 : right / (double)together, same == 0 ? 1 : right / (double)same);
    }

    public static string Text(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
