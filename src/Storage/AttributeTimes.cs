using System.Globalization;

namespace Embeddings.Storage;

/// <summary>Times in attributes: texts in RFC 3339, compared in whole milliseconds.</summary>
internal static class AttributeTimes
{
    // The fraction of a second has 1 to 7 digits.
    private static readonly string[] Formats =
    [
        "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>Reads a text with a time and an offset.</summary>
    /// <param name="text">The text.</param>
    /// <param name="milliseconds">The time, milliseconds of Unix time.</param>
    public static bool TryParse(string text, out long milliseconds)
    {
        milliseconds = 0;
        var hasOffset = text.Length >= 20 && (text[^1] == 'Z' || text[^6] is '+' or '-');
        if (!hasOffset
            || !DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out var time))
        {
            return false;
        }

        milliseconds = time.ToUnixTimeMilliseconds();
        return true;
    }
}
