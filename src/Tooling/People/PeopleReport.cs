using System.Globalization;
using System.Net;
using Embeddings.Tooling.Photos;
using Embeddings.V1;

namespace Embeddings.Tooling.People;

/// <summary>
/// Writes the persons of a collection as one self-contained HTML page: the thumbnails are part of it, it loads nothing, and a
/// stored name or id cannot become markup.
/// </summary>
internal static class PeopleReport
{
    /// <summary>Maximum number of faces shown of a person.</summary>
    public const int MaxFacesOfPerson = 40;

    /// <summary>Maximum number of faces shown on the page, which takes about 5 KB for each.</summary>
    public const int MaxFaces = 10_000;

    /// <summary>Returns the point ids of the faces that the page shows.</summary>
    public static IReadOnlySet<string> Shown(FoundPersons found) =>
        Selected(found).SelectMany(person => person.Faces.Take(person.Shown)).Select(face => face.PointId).ToHashSet(StringComparer.Ordinal);

    /// <summary>Writes the page.</summary>
    /// <param name="writer">Target.</param>
    /// <param name="collection">Name of the collection.</param>
    /// <param name="found">The persons.</param>
    /// <param name="picture">Returns the thumbnail of a point.</param>
    public static void Write(TextWriter writer, string collection, FoundPersons found, Func<string, FacePicture> picture)
    {
        var summary = found.Summary;
        writer.Write($$"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>People in {{Text(collection)}}</title>
            <style>
            body { font-family: sans-serif; margin: 2em auto; max-width: 66em; padding: 0 1em; color: #222; background: #fff; }
            h1 { font-size: 1.5em; }
            h2 { font-size: 1.1em; margin: 1.5em 0 0.5em; }
            .count, .unnamed { color: #666; font-weight: normal; }
            .faces { display: flex; flex-wrap: wrap; gap: 8px; }
            figure { margin: 0; width: {{FaceThumbnails.Side}}px; font-size: 0.75em; color: #666; }
            figure img, figure .none { display: block; width: {{FaceThumbnails.Side}}px; height: {{FaceThumbnails.Side}}px; border-radius: 6px; }
            figure .none { box-sizing: border-box; padding: 8px; overflow: hidden; overflow-wrap: anywhere; background: #eee; }
            figcaption { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
            .new img, .new .none { outline: 3px solid #0072b2; outline-offset: -3px; }
            </style>
            </head>
            <body>
            <h1>People in {{Text(collection)}}</h1>
            <p>{{Count(summary.PersonCount, "person", "persons")}}, {{Count(summary.GroupedCount, "face", "faces")}},
            {{Count(summary.UngroupedCount, "face", "faces")}} in no person; threshold {{summary.Threshold.ToString("0.000", CultureInfo.InvariantCulture)}}.
            The number below a face is its mean similarity to the other faces of the person. New faces of a person have a blue frame.</p>

            """);
        foreach (var person in Selected(found))
        {
            Write(writer, person, picture);
        }
        writer.Write("</body>\n</html>\n");
    }

    private static void Write(TextWriter writer, ShownPerson person, Func<string, FacePicture> picture)
    {
        var name = person.Name.Length > 0 ? Text(person.Name) : $"""<span class="unnamed">unnamed {Number(person.Index + 1)}</span>""";
        writer.Write($"""<section><h2>{name} <span class="count">{Count(person.Faces.Count, "face", "faces")}</span></h2>""");
        writer.Write("\n<div class=\"faces\">\n");
        foreach (var face in person.Faces.Take(person.Shown))
        {
            Write(writer, face, picture(face.PointId));
        }
        writer.Write("</div>\n");
        if (person.Faces.Count > person.Shown)
        {
            writer.Write($"<p class=\"count\">and {Count(person.Faces.Count - person.Shown, "more face", "more faces")} that this page does not show</p>\n");
        }
        writer.Write("</section>\n");
    }

    private static void Write(TextWriter writer, ClusteredFace face, FacePicture picture)
    {
        var id = Text(face.PointId);
        writer.Write(face.Joined ? "<figure class=\"new\"" : "<figure");
        writer.Write($" title=\"{id}\">");
        writer.Write(picture.Jpeg is { } jpeg
            ? $"<img alt=\"{id}\" src=\"data:image/jpeg;base64,{Convert.ToBase64String(jpeg)}\" />"
            : $"<div class=\"none\">{Text(picture.Missing)}</div>");
        writer.Write($"<figcaption>{face.Similarity.ToString("0.00", CultureInfo.InvariantCulture)} {id}</figcaption></figure>\n");
    }

    private static IEnumerable<ShownPerson> Selected(FoundPersons found)
    {
        var left = MaxFaces;
        foreach (var person in found.Persons)
        {
            var shown = Math.Min(Math.Min(person.Faces.Count, MaxFacesOfPerson), left);
            left -= shown;
            yield return new(person.Index, person.Name, person.Faces, shown);
        }
    }

    private static string Count(long count, string one, string several) => $"{Number(count)} {(count == 1 ? one : several)}";

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);

    // Control characters are no characters of HTML.
    private static string Text(string text) =>
        WebUtility.HtmlEncode(string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)));

    private sealed record ShownPerson(int Index, string Name, IReadOnlyList<ClusteredFace> Faces, int Shown);
}
