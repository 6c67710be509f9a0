using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// Whole numbers in attributes. The contract transfers numbers as doubles, which hold all integers up to 2^53; a larger one
/// may become its neighbor, so it is refused.
/// </summary>
internal static class WholeNumbers
{
    // No double has more digits.
    private const int MaxDigits = 400;

    /// <summary>Returns true if the text is not a whole number, or one that a double holds exactly.</summary>
    public static bool IsExact(string text)
    {
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (text.Length > MaxDigits || !BigInteger.TryParse(text, Style, CultureInfo.InvariantCulture, out var whole))
        {
            return true;
        }
        var number = double.Parse(text, CultureInfo.InvariantCulture);
        return double.IsFinite(number) && new BigInteger(number) == whole;
    }

    /// <summary>Returns the first number in a value that is not exact, or null.</summary>
    public static string? FirstInexact(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => IsExact(value.GetRawText()) ? null : value.GetRawText(),
        JsonValueKind.Array => value.EnumerateArray().Select(FirstInexact).FirstOrDefault(found => found is not null),
        JsonValueKind.Object => value.EnumerateObject().Select(field => FirstInexact(field.Value)).FirstOrDefault(found => found is not null),
        _ => null,
    };

    /// <summary>Says what is wrong with a number that is not exact, and what to do.</summary>
    public static string Refusal(string number) =>
        $"must contain integers that a double holds exactly, such as those up to 2^53 (9007199254740992); got {number}. Send it as a string.";
}
