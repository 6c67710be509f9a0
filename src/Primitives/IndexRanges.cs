using System.Globalization;
using System.Text;

namespace Embeddings.Primitives;

/// <summary>
/// Writes a set of indexes as a short text that is always complete: as ranges (<c>0-255,300</c>) or, if they would be longer,
/// as a bitmap in base64 (<c>bitmap:...</c>), in which index i is bit i mod 8, the least significant first, of byte i div 8.
/// </summary>
internal static class IndexRanges
{
    private const string Bitmap = "bitmap:";
    private const int MaxRangesLength = 512;

    /// <summary>Writes the indexes whose values are true.</summary>
    public static string Format(ReadOnlySpan<bool> set)
    {
        var text = new StringBuilder();
        for (var first = 0; first < set.Length; first++)
        {
            if (!set[first])
            {
                continue;
            }
            var last = first;
            while (last + 1 < set.Length && set[last + 1])
            {
                last++;
            }
            text.Append(CultureInfo.InvariantCulture, $"{(text.Length > 0 ? "," : "")}{first}");
            if (last > first)
            {
                text.Append(CultureInfo.InvariantCulture, $"-{last}");
            }
            if (text.Length > MaxRangesLength)
            {
                return FormatBitmap(set);
            }
            first = last;
        }
        return text.ToString();
    }

    /// <summary>Reads a text of <see cref="Format"/>; null if it is none for this number of indexes.</summary>
    public static bool[]? Parse(string text, int count)
    {
        var set = new bool[count];
        if (text.StartsWith(Bitmap, StringComparison.Ordinal))
        {
            var bytes = new byte[text.Length];
            if (!Convert.TryFromBase64String(text[Bitmap.Length..], bytes, out var length) || length != (count + 7) / 8)
            {
                return null;
            }
            for (var i = 0; i < count; i++)
            {
                set[i] = (bytes[i / 8] >> (i % 8) & 1) == 1;
            }
            return set;
        }
        foreach (var range in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var bounds = range.Split('-');
            if (bounds.Length > 2
                || !int.TryParse(bounds[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
                || !int.TryParse(bounds[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var last)
                || last < first
                || last >= count)
            {
                return null;
            }
            set.AsSpan(first, last - first + 1).Fill(true);
        }
        return set;
    }

    private static string FormatBitmap(ReadOnlySpan<bool> set)
    {
        var bytes = new byte[(set.Length + 7) / 8];
        for (var i = 0; i < set.Length; i++)
        {
            bytes[i / 8] |= (byte)((set[i] ? 1 : 0) << (i % 8));
        }
        return Bitmap + Convert.ToBase64String(bytes);
    }
}
