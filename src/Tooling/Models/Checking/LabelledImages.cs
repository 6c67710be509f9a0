using System.Numerics;
using System.Text;
using Embeddings.Core;
using Embeddings.Tooling.Ingesting;
using Embeddings.Tooling.Items;

namespace Embeddings.Tooling.Models.Checking;

/// <summary>An image of a known subject.</summary>
/// <param name="Label">The subject: the same for all images of one person.</param>
/// <param name="Path">The file.</param>
/// <param name="Landmarks">Landmarks in pixels of the file, to align the face, or null.</param>
internal sealed record LabelledImage(string Label, string Path, Landmarks? Landmarks);

/// <summary>
/// Finds labelled images: in a directory with one subdirectory per subject or with files named <c>SUBJECT__NAME</c>, or
/// in an item list.
/// </summary>
internal static class LabelledImages
{
    /// <summary>Maximum number of images. More would make more pairs than fit in memory.</summary>
    public const int MaxImages = 4_000;

    /// <summary>Description of the accepted paths, for the help of commands.</summary>
    public const string Description =
        "A directory with one subdirectory per subject or files named SUBJECT__NAME, or an item list with path, label or "
        + "media_store_id, and landmarks.";

    private static readonly string[] Extensions = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif"];

    /// <summary>Returns the images in the order of their paths or lines.</summary>
    /// <exception cref="ToolException">There is nothing to compare, or a line is invalid.</exception>
    public static IReadOnlyList<LabelledImage> Read(string path)
    {
        if (!Directory.Exists(path) && !File.Exists(path))
        {
            throw new ToolException($"File or directory '{path}' does not exist.");
        }
        var found = (Directory.Exists(path) ? Folder(path) : List(path)).Take(MaxImages + 1).ToList();
        if (found.Count > MaxImages)
        {
            throw new ToolException($"{path}: must contain at most {MaxImages:N0} images.");
        }
        var subjects = found.CountBy(image => image.Label).ToList();
        return subjects.Count >= 2 && subjects.Any(subject => subject.Value >= 2)
            ? found
            : throw new ToolException(
                $"{path}: must contain images of at least two subjects and at least two images of one of them; got "
                + $"{found.Count} images of {subjects.Count} subjects. The subject is the name of the directory of an "
                + "image, or the part of its file name before __.");
    }

    private static IEnumerable<LabelledImage> Folder(string folder) => Directory
        .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(file => Extensions.Contains(Path.GetExtension(file).ToLowerInvariant()))
        .Order(StringComparer.Ordinal)
        .Select(file => new LabelledImage(Subject(folder, file), file, null))
        .Where(image => image.Label.Length > 0);

    // The path of the subdirectory or, for a file directly in the directory, the part of its name before __; otherwise
    // empty.
    private static string Subject(string folder, string file)
    {
        var below = Path.GetDirectoryName(Path.GetRelativePath(folder, file))!;
        var name = Path.GetFileName(file);
        var end = Math.Max(0, name.IndexOf("__", StringComparison.Ordinal));
        return below.Length > 0 ? below : name[..end];
    }

    private static IEnumerable<LabelledImage> List(string file)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        foreach (var (index, text) in File.ReadLines(file).Index())
        {
            var line = new RawLine(index + 1, Encoding.UTF8.GetBytes(text), IsCut: false);
            if (!line.IsBlank)
            {
                yield return Parse(line, file, folder);
            }
        }
    }

    private static LabelledImage Parse(RawLine line, string file, string folder)
    {
        try
        {
            var item = ItemListLine.Parse(line);
            item.CheckLandmarks();
            var label = item.Label ?? item.MediaStoreId;
            return item.Path.Length > 0 && label is { Length: > 0 }
                ? new(label, Path.Combine(folder, item.Path), item.Landmarks is { } points ? ToLandmarks(points) : null)
                : throw ItemFault.Line("path and label, or media_store_id, are required.");
        }
        catch (ItemFault fault)
        {
            throw new ToolException($"{Path.GetFileName(file)}, line {line.Number}: {fault.Message}", fault);
        }
    }

    private static Landmarks ToLandmarks(float[][] points)
    {
        Vector2 At(int i) => new(points[i][0], points[i][1]);
        return new(At(0), At(1), At(2), At(3), At(4));
    }
}
