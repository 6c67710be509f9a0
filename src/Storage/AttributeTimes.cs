namespace Embeddings.Storage;

/// <summary>
/// Times in attributes: texts in the format <c>date-time</c> of RFC 3339, without leap seconds. These are exactly
/// <c>YYYY-MM-DDThh:mm:ss</c>, optionally a dot and one or more digits, then <c>Z</c>, <c>+hh:mm</c> or <c>-hh:mm</c>; the letters may be
/// in lower case. Year 0000 to 9999, a day that exists in the Gregorian calendar, hour 00 to 23, minute and second 00 to 59, offset up
/// to 23:59. All other texts, for example a date alone, a time without offset, a space instead of T, or a text with spaces around it, are no
/// times. Digits after the milliseconds are cut off.
/// </summary>
internal static class AttributeTimes
{
    /// <summary>The least length of a time.</summary>
    public const int MinLength = 20;

    private const int FractionAt = 19;

    /// <summary>Returns the time in milliseconds of Unix time, rounded down; null if the text is no time.</summary>
    public static long? Parse(ReadOnlySpan<char> text)
    {
        if (text.Length < MinLength
            || text[4] != '-' || text[7] != '-' || text[10] is not ('T' or 't') || text[13] != ':' || text[16] != ':'
            || Digits(text[..4]) is not { } year
            || Digits(text[5..7]) is not (>= 1 and <= 12 and var month)
            || Digits(text[8..10]) is not (>= 1 and var day)
            || day > DaysIn(year, month)
            || Digits(text[11..13]) is not (<= 23 and var hour)
            || Digits(text[14..16]) is not (<= 59 and var minute)
            || Digits(text[17..19]) is not (<= 59 and var second))
        {
            return null;
        }
        var at = FractionAt;
        var milliseconds = 0;
        if (text[at] == '.')
        {
            var end = at + 1;
            for (var unit = 100; end < text.Length && char.IsAsciiDigit(text[end]); end++, unit /= 10)
            {
                milliseconds += (text[end] - '0') * unit;
            }
            if (end == at + 1)
            {
                return null;
            }
            at = end;
        }
        return OffsetMinutes(text[at..]) is { } offset
            ? (((((DaysBefore(year, month) + day - 1) * 24L) + hour) * 60) + minute - offset) * 60_000 + (second * 1000) + milliseconds
            : null;
    }

    /// <inheritdoc cref="Parse"/>
    /// <param name="text">The text.</param>
    /// <param name="milliseconds">The time, if this returns true.</param>
    public static bool TryParse(string text, out long milliseconds)
    {
        var time = Parse(text);
        milliseconds = time ?? 0;
        return time is not null;
    }

    private static int? OffsetMinutes(ReadOnlySpan<char> text) => text switch
    {
        ['Z' or 'z'] => 0,
        ['+' or '-', _, _, ':', _, _]
            when Digits(text[1..3]) is <= 23 and var hours && Digits(text[4..6]) is <= 59 and var minutes =>
            ((hours * 60) + minutes) * (text[0] == '-' ? -1 : 1),
        _ => null,
    };

    private static int? Digits(ReadOnlySpan<char> text)
    {
        var number = 0;
        foreach (var digit in text)
        {
            if (!char.IsAsciiDigit(digit))
            {
                return null;
            }
            number = (number * 10) + digit - '0';
        }
        return number;
    }

    private static int DaysIn(int year, int month) => month switch
    {
        2 => IsLeap(year) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    private static bool IsLeap(int year) => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    // Days from 1970 to the first of the month. The years begin in March, so that the leap day is the last one. Unlike DateTime, this
    // has a year 0.
    private static long DaysBefore(int year, int month)
    {
        const int DaysToEpoch = 719_468;
        var shifted = month > 2 ? year : year - 1;
        var era = Math.DivRem(shifted < 0 ? shifted - 399 : shifted, 400).Quotient;
        var yearOfEra = shifted - (era * 400);
        var dayOfYear = ((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5;
        return (era * 146_097L) + (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear - DaysToEpoch;
    }
}
