using System.Globalization;

namespace Embeddings.Client.Calls;

/// <summary>Reads the indexes of points that are not stored from the metadata of an error (docs/errors.md).</summary>
internal static class PointIndexes
{
    public const string Key = "not_stored";

    private const string Bitmap = "bitmap:";

    // Maximum number of points in a request.
    private const int MaxCount = 10_000;

    /// <summary>Returns the indexes in ascending order; none if the text is malformed.</summary>
    public static IReadOnlyList<int> Parse(string text) =>
        (text.StartsWith(Bitmap, StringComparison.Ordinal) ? FromBitmap(text[Bitmap.Length..]) : FromRanges(text)) ?? [];

    private static List<int>? FromBitmap(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var length) && length <= (MaxCount + 7) / 8
            ? [.. Enumerable.Range(0, length * 8).Where(i => (bytes[i / 8] >> (i % 8) & 1) == 1)]
            : null;
    }

    private static List<int>? FromRanges(string text)
    {
        var indexes = new List<int>();
        foreach (var range in text.Split(','))
        {
            var bounds = range.Split('-');
            if (bounds.Length > 2
                || !int.TryParse(bounds[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                || !int.TryParse(bounds[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
                || last < first
                || last >= MaxCount)
            {
                return null;
            }

            indexes.AddRange(Enumerable.Range(first, last - first + 1));
        }

        return indexes;
    }
}
