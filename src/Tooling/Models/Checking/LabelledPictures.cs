using System.Numerics;
using System.Text.Json;
using Embeddings.Core;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>Finds labelled pictures: in a folder with one folder per subject or with files called <c>SUBJECT__NAME</c>, or in a file of JSON lines.</summary>
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
        var subjects = found.GroupBy(picture => picture.Label).ToList();
        return found.Count > Most ? throw new InvalidDataException($"{path}: has more than {Most:N0} pictures")
            : subjects.Count < 2 || subjects.All(subject => subject.Count() < 2)
                ? throw new InvalidDataException(
                    $"{path}: needs images of two subjects or more, and two images or more of one of them; it has {found.Count} images of {subjects.Count} subjects. "
                        + "The subject is the name of an image's folder, or what comes before __ in its file name.")
                : found;
    }

    private static IEnumerable<LabelledPicture> Folder(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(file => Extensions.Contains(Path.GetExtension(file).ToLowerInvariant()))
        .Order(StringComparer.Ordinal)
        .Select(file => new LabelledPicture(Subject(folder, file), file, null))
        .Where(picture => picture.Label.Length > 0);

    // The path of the folder it is in, or for a file directly in the folder what comes before __; empty for one without.
    private static string Subject(string folder, string file)
    {
        var below = Path.GetDirectoryName(Path.GetRelativePath(folder, file))!;
        var name = Path.GetFileName(file);
        var end = name.IndexOf("__", StringComparison.Ordinal);
        return below.Length > 0 ? below : end > 0 ? name[..end] : "";
    }

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
