using System.Numerics;
using System.Text.Json;
using Embeddings.Core.Imaging;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>Finds labelled pictures: in a folder with one folder a person, or in a file of one JSON object a line.</summary>
internal static class LabelledPictures
{
    /// <summary>More would make more pairs than memory is for.</summary>
    public const int Most = 4_000;

    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif"];

    /// <summary>The pictures, in the order of their paths or lines.</summary>
    /// <exception cref="InvalidDataException">There is nothing to compare, or a line is wrong; the message says which.</exception>
    public static IReadOnlyList<LabelledPicture> Read(string path)
    {
        var found = (Directory.Exists(path) ? Folder(path) : Lines(path)).Take(Most + 1).ToList();
        var people = found.GroupBy(picture => picture.Label).ToList();
        return found.Count > Most ? throw new InvalidDataException($"{path}: has more than {Most:N0} pictures")
            : people.Count < 2 || people.All(person => person.Count() < 2)
                ? throw new InvalidDataException($"{path}: needs pictures of two people or more, and two or more of one of them; it has {found.Count} of {people.Count}")
                : found;
    }

    private static IEnumerable<LabelledPicture> Folder(string folder) => Directory.EnumerateDirectories(folder)
        .Order(StringComparer.Ordinal)
        .SelectMany(person => Directory.EnumerateFiles(person)
            .Where(file => Extensions.Contains(Path.GetExtension(file).ToLowerInvariant()))
            .Order(StringComparer.Ordinal)
            .Select(file => new LabelledPicture(Path.GetFileName(person), file, null)));

    private static IEnumerable<LabelledPicture> Lines(string file)
    {
        var number = 0;
        foreach (var line in File.ReadLines(file))
        {
            number++;
            if (line.AsSpan().Trim().Length > 0)
            {
                yield return Parse(line, $"{Path.GetFileName(file)}, line {number}", Path.GetDirectoryName(Path.GetFullPath(file))!);
            }
        }
    }

    // As manifests of `embeddings ingest`, whose media_store_id stands for the person where no label does.
    private static LabelledPicture Parse(string line, string where, string folder)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var json = document.RootElement;
            var label = json.TryGetProperty("label", out var own) ? own : json.GetProperty("media_store_id");
            return new(label.GetString()!, Path.Combine(folder, json.GetProperty("path").GetString()!),
                json.TryGetProperty("landmarks", out var points) && points.ValueKind != JsonValueKind.Null ? Landmarks(points) : null);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new InvalidDataException($"{where}: wants an object with path, label or media_store_id, and landmarks as five [x, y]: {e.Message}", e);
        }
    }

    private static Landmarks Landmarks(JsonElement json)
    {
        var points = json.EnumerateArray().Select(at => new Vector2(at[0].GetSingle(), at[1].GetSingle())).ToList();
        return points is [var leftEye, var rightEye, var nose, var leftMouth, var rightMouth]
            ? new(leftEye, rightEye, nose, leftMouth, rightMouth)
            : throw new FormatException($"{points.Count} landmarks instead of five");
    }
}
