using System.Text;
using System.Text.Json;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Decides whether a point's attributes meet all conditions. It reads the JSON itself: SQLite's own functions would compare numbers as integers, take a
/// key's quotes and dots for path syntax and end a text at U+0000.
/// </summary>
internal sealed class AttributeMatcher
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = PointCodec.MaxJsonDepth };

    private readonly IReadOnlyList<AttributeCondition> _conditions;
    private readonly byte[][] _keys;

    public AttributeMatcher(IReadOnlyList<AttributeCondition> conditions)
    {
        _conditions = conditions;
        _keys = [.. conditions.Select(condition => Encoding.UTF8.GetBytes(condition.Key))];
    }

    /// <summary>Without conditions: every point.</summary>
    public static AttributeMatcher None { get; } = new([]);

    /// <summary>Whether these attributes, a JSON object in UTF-8 or null, meet all conditions.</summary>
    public bool Matches(byte[]? json)
    {
        if (_conditions.Count == 0 || json is null)
        {
            return _conditions.Count == 0;
        }

        var met = 0;
        var reader = new Utf8JsonReader(json, Options);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var candidates = reader;
            reader.Read();
            for (var i = 0; i < _keys.Length; i++)
            {
                if (candidates.ValueTextEquals(_keys[i]))
                {
                    if (!Holds(_conditions[i], ref reader))
                    {
                        return false;
                    }

                    met++;
                }
            }

            reader.Skip();
        }

        return met == _conditions.Count;
    }

    private static bool Holds(AttributeCondition condition, ref Utf8JsonReader value) =>
        condition switch
        {
            { Text: { } text } => value.TokenType == JsonTokenType.String && value.ValueTextEquals(text),
            { Flag: { } flag } => value.TokenType == (flag ? JsonTokenType.True : JsonTokenType.False),
            { Number: { } number } => value.TokenType == JsonTokenType.Number && value.GetDouble() == number,
            { Range: { } range } => value.TokenType == JsonTokenType.Number && Holds(range, value.GetDouble()),
            _ => false,
        };

    private static bool Holds(NumericRange range, double value) =>
        (range.Gt is not { } gt || value > gt) && (range.Gte is not { } gte || value >= gte)
        && (range.Lt is not { } lt || value < lt) && (range.Lte is not { } lte || value <= lte);
}
