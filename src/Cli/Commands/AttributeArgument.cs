using System.Globalization;
using System.Text.RegularExpressions;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>
/// Reads a condition on an attribute: <c>place=beach</c>, <c>good=true</c>, <c>year=2024</c>, <c>year&gt;=2020</c>, <c>code="1"</c> (a text).
/// </summary>
internal static partial class AttributeArgument
{
    /// <summary>The condition; <see cref="CliException"/> where it is none.</summary>
    public static AttributeCondition Parse(string text)
    {
        var match = Pattern().Match(text);
        if (!match.Success)
        {
            throw new CliException($"--attribute '{text}' is not KEY=VALUE or KEY>NUMBER");
        }
        var (key, comparison, value) = (match.Groups["key"].Value, match.Groups["is"].Value, match.Groups["value"].Value);
        if (comparison == "=")
        {
            return Equal(key, value);
        }
        if (Number(value) is not { } bound)
        {
            throw new CliException($"--attribute '{text}' compares with '{value}', which is not a number");
        }
        return new AttributeCondition
        {
            Key = key,
            Range = comparison switch
            {
                ">" => new NumericRange { Gt = bound },
                ">=" => new NumericRange { Gte = bound },
                "<" => new NumericRange { Lt = bound },
                _ => new NumericRange { Lte = bound },
            },
        };
    }

    private static AttributeCondition Equal(string key, string value) => value switch
    {
        "true" or "false" => new AttributeCondition { Key = key, Flag = value == "true" },
        ['"', .. var text, '"'] => new AttributeCondition { Key = key, Text = text },
        _ when Number(value) is { } number => new AttributeCondition { Key = key, Number = number },
        _ => new AttributeCondition { Key = key, Text = value },
    };

    private static double? Number(string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : null;

    [GeneratedRegex("^(?<key>[^=<>]+)(?<is>>=|<=|=|>|<)(?<value>.*)$", RegexOptions.Singleline)]
    private static partial Regex Pattern();
}
