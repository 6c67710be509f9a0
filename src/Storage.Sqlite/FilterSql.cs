using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Translates filters to SQL. Every value is a parameter.</summary>
internal static class FilterSql
{
    /// <summary>
    /// Creates the command <c>head WHERE filter AND condition tail</c>, not prepared, and sets the session's matcher
    /// for it.
    /// </summary>
    public static SqliteCommand Command(
        SqliteSession session, string head, PointFilter filter, string condition = "", string tail = "")
    {
        var command = session.Connection.CreateCommand();
        var terms = new List<string>();
        if (condition.Length > 0)
        {
            terms.Add(condition);
        }

        Text("job_id", filter.JobId);
        Text("media_store_id", filter.MediaStoreId);
        if (filter.FaceIndex is { } face)
        {
            Compare("face_index", "=", face);
        }

        if (filter.Confidence is { } range)
        {
            // Confidences are single-precision: 0.9 as a double is above 0.9 as a float, and "0.9 or more" must find
            // it.
            Bound(">", range.Gt);
            Bound(">=", range.Gte);
            Bound("<", range.Lt);
            Bound("<=", range.Lte);
        }

        if (filter.OnHold is { } onHold)
        {
            terms.Add(onHold ? "hold IS NOT NULL" : "hold IS NULL");
        }

        session.Matcher = filter.Attributes.Count == 0 ? AttributeMatcher.None : new AttributeMatcher(filter.Attributes);
        if (filter.Attributes.Count > 0)
        {
            terms.Add($"{SqliteSession.MatchFunction}(attributes)");
        }

        command.CommandText = $"{head}{(terms.Count == 0 ? "" : " WHERE ")}{string.Join(" AND ", terms)} {tail}";
        return command;

        void Bound(string comparison, double? bound)
        {
            if (bound is { } value)
            {
                Compare("confidence", comparison, (double)(float)value);
            }
        }

        void Compare(string column, string comparison, object value) => terms.Add($"{column} {comparison} {Add(value)}");

        void Text(string column, string? value)
        {
            if (value is not null)
            {
                terms.Add($"{column} = CAST({Add(Encoding.UTF8.GetBytes(value))} AS TEXT)");
            }
        }

        string Add(object value)
        {
            var name = $"$f{command.Parameters.Count}";
            command.Parameters.AddWithValue(name, value);
            return name;
        }
    }
}

/// <summary>
/// Matches a point's attributes against conditions. It reads the JSON itself, because SQLite's functions compare
/// numbers as integers, interpret quotes and dots in keys as path syntax and end texts at U+0000.
/// </summary>
internal sealed class AttributeMatcher
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = PointCodec.MaxJsonDepth };

    private readonly IReadOnlyList<AttributeCondition> _conditions;
    private readonly byte[][] _keys;
    private readonly int _absent;

    public AttributeMatcher(IReadOnlyList<AttributeCondition> conditions)
    {
        _conditions = conditions;
        _keys = [.. conditions.Select(condition => Encoding.UTF8.GetBytes(condition.Key))];
        _absent = conditions.Count(condition => condition.Exists is false);
    }

    /// <summary>A matcher without conditions, which matches every point.</summary>
    public static AttributeMatcher None { get; } = new([]);

    /// <summary>Returns true if the attributes, a JSON object in UTF-8 or null, meet all conditions.</summary>
    public bool Matches(byte[]? json)
    {
        // Those that hold for an absent field are met until the field is found.
        var met = _absent;
        if (_conditions.Count == 0 || json is null)
        {
            return met == _conditions.Count;
        }

        var reader = new Utf8JsonReader(json, Options);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader;
            reader.Read();
            for (var i = 0; i < _keys.Length; i++)
            {
                if (name.ValueTextEquals(_keys[i]))
                {
                    if (!Holds(_conditions[i], ref reader))
                    {
                        return false;
                    }

                    met += _conditions[i].Exists is false ? 0 : 1;
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
            { Exists: { } exists } => value.TokenType == JsonTokenType.Null != exists,
            _ => false,
        };

    private static bool Holds(NumericRange range, double value) =>
        (range.Gt is not { } gt || value > gt)
        && (range.Gte is not { } gte || value >= gte)
        && (range.Lt is not { } lt || value < lt)
        && (range.Lte is not { } lte || value <= lte);
}
