using System.Text;
using System.Text.Json;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Matches a point's attributes against conditions, all of which must hold. It reads the JSON itself, because SQLite's functions compare
/// numbers as integers, interpret quotes and dots in keys as path syntax and end texts at U+0000.
/// </summary>
internal sealed class AttributeMatcher
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = PointCodec.MaxJsonDepth };

    private readonly Test[] _tests;
    private readonly int[] _all;
    private readonly int _absent;

    public AttributeMatcher(IEnumerable<AttributeCondition> conditions)
    {
        _tests = [.. conditions.Select(static condition => new Test(condition))];
        _all = [.. Enumerable.Range(0, _tests.Length)];
        _absent = _tests.Count(static test => test.Condition.Exists is false);
    }

    /// <summary>Returns true if the attributes, a JSON object in UTF-8 or null, meet all conditions.</summary>
    public bool Matches(byte[]? json)
    {
        // Those that hold for an absent field are met until the field is found.
        var met = _absent;
        if (json is not null && _tests.Length > 0)
        {
            var reader = new Utf8JsonReader(json, Options);
            reader.Read();
            if (!Read(ref reader, _all, 0, ref met))
            {
                return false;
            }
        }

        return met == _tests.Length;
    }

    /// <summary>
    /// Reads the object that the reader is at, for the conditions whose paths lead into it. Returns false if one of them does not hold.
    /// </summary>
    private bool Read(ref Utf8JsonReader reader, scoped ReadOnlySpan<int> tests, int level, ref int met)
    {
        Span<int> inner = stackalloc int[tests.Length];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader;
            reader.Read();
            var count = 0;
            foreach (var i in tests)
            {
                var test = _tests[i];
                if (!name.ValueTextEquals(test.Names[level]))
                {
                    continue;
                }

                if (level + 1 < test.Names.Length)
                {
                    inner[count++] = i;
                }
                else if (!test.Holds(ref reader))
                {
                    return false;
                }
                else
                {
                    met += test.Condition.Exists is false ? 0 : 1;
                }
            }

            if (count == 0 || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
            }
            else if (!Read(ref reader, inner[..count], level + 1, ref met))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A condition with what its check needs.</summary>
    private sealed class Test(AttributeCondition condition)
    {
        private readonly HashSet<string>? _texts = condition.TextIn?.ToHashSet(StringComparer.Ordinal);
        private readonly HashSet<double>? _numbers = condition.NumberIn?.ToHashSet();

        public AttributeCondition Condition { get; } = condition;

        public byte[][] Names { get; } = [.. condition.Path.Names.Select(Encoding.UTF8.GetBytes)];

        public bool Holds(ref Utf8JsonReader value) => Condition switch
        {
            { Exists: { } exists } => value.TokenType == JsonTokenType.Null != exists,
            { Text: { } text } => value.TokenType == JsonTokenType.String && value.ValueTextEquals(text),
            { TextIn: not null } => value.TokenType == JsonTokenType.String && _texts!.Contains(value.GetString()!),
            { Prefix: { } prefix } =>
                value.TokenType == JsonTokenType.String && value.GetString()!.StartsWith(prefix, StringComparison.Ordinal),
            { Time: { } range } =>
                value.TokenType == JsonTokenType.String && AttributeTimes.Parse(value.GetString()) is { } time && range.Contains(time),
            { Flag: { } flag } => value.TokenType == (flag ? JsonTokenType.True : JsonTokenType.False),
            { Number: { } number } => value.TokenType == JsonTokenType.Number && value.GetDouble() == number,
            { NumberIn: not null } => value.TokenType == JsonTokenType.Number && _numbers!.Contains(value.GetDouble()),
            { Range: { } range } => value.TokenType == JsonTokenType.Number && range.Contains(value.GetDouble()),
            _ => false,
        };
    }
}

/// <summary>Reads single attributes for their indexes.</summary>
internal static class AttributeReader
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = PointCodec.MaxJsonDepth };

    /// <summary>
    /// Returns the value of a field for an index of this type: a string, or a double, which is 0 or 1 for Boolean values and
    /// milliseconds of Unix time for times. Null if the field is absent or has another type.
    /// </summary>
    public static object? Read(ReadOnlySpan<byte> json, ReadOnlySpan<byte[]> names, AttributeType type)
    {
        if (json.IsEmpty)
        {
            return null;
        }

        try
        {
            var reader = new Utf8JsonReader(json, Options);
            reader.Read();
            return TryFind(ref reader, names) ? Value(ref reader, type) : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // Damaged in the file. The index has no entry, and the checksum of the point does not match.
            return null;
        }
    }

    private static bool TryFind(ref Utf8JsonReader reader, ReadOnlySpan<byte[]> names)
    {
        var level = 0;
        while (reader.TokenType == JsonTokenType.StartObject && reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            do
            {
                var isNext = reader.ValueTextEquals(names[level]);
                reader.Read();
                if (isNext)
                {
                    level++;
                    break;
                }

                reader.Skip();
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName);

            if (level == names.Length)
            {
                return true;
            }
        }

        return false;
    }

    private static object? Value(ref Utf8JsonReader value, AttributeType type) => (type, value.TokenType) switch
    {
        (AttributeType.Text, JsonTokenType.String) => value.GetString(),
        (AttributeType.Number, JsonTokenType.Number) => value.GetDouble(),
        (AttributeType.Flag, JsonTokenType.True) => 1.0,
        (AttributeType.Flag, JsonTokenType.False) => 0.0,
        (AttributeType.Time, JsonTokenType.String) => AttributeTimes.Parse(value.GetString()) is { } time ? (double)time : null,
        _ => null,
    };
}
