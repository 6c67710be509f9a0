using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Translates filters to SQL. Every value is a parameter, except for those of very long lists, which are literals in hexadecimal
/// digits.
/// </summary>
/// <remarks>
/// A comparison with an absent value is NULL, which selects as little as false. Negations are therefore written <c>(...) IS NOT TRUE</c>.
/// </remarks>
internal sealed class FilterSql
{
    // SQLite accepts 32,766 parameters.
    private const int MaxParameters = 20_000;

    private readonly SqliteCommand _command;
    private readonly List<AttributeMatcher> _matchers = [];
    private readonly IReadOnlyList<AttributeIndex> _indexes;

    private FilterSql(SqliteCommand command, IReadOnlyList<AttributeIndex> indexes)
    {
        _command = command;
        _indexes = indexes;
    }

    /// <summary>
    /// Creates the command <c>head WHERE filter AND condition tail</c>, not prepared, and sets the session's matchers
    /// for it.
    /// </summary>
    public static SqliteCommand Command(
        SqliteSession session,
        string head,
        PointFilter filter,
        string condition = "",
        string tail = "",
        IReadOnlyList<AttributeIndex>? indexes = null)
    {
        var command = session.Connection.CreateCommand();
        var sql = new FilterSql(command, indexes ?? []);
        string?[] terms = [condition.Length > 0 ? condition : null, sql.Translate(filter)];
        var where = string.Join(" AND ", terms.OfType<string>());
        session.Matchers = sql._matchers;
        command.CommandText = $"{head}{(where.Length == 0 ? "" : " WHERE ")}{where} {tail}";
        return command;
    }

    /// <summary>
    /// Returns the first text in the order of UTF-8 that is after all texts with this prefix. The last byte can be incremented: UTF-8 has
    /// no byte 255.
    /// </summary>
    internal static byte[] After(ReadOnlySpan<byte> prefix)
    {
        byte[] after = [.. prefix];
        after[^1]++;
        return after;
    }

    /// <summary>Returns terms joined by AND; null if every point matches.</summary>
    private string? Translate(PointFilter filter)
    {
        var terms = new List<string>();
        Text("job_id", filter.JobId);
        Text("media_store_id", filter.MediaStoreId);
        Texts("id", filter.PointIds);
        Texts("job_id", filter.JobIds);
        Texts("media_store_id", filter.MediaStoreIds);
        Prefix("id", filter.PointIdPrefix);
        Prefix("job_id", filter.JobIdPrefix);
        Prefix("media_store_id", filter.MediaStoreIdPrefix);
        if (filter.FaceIndex is { } face)
        {
            terms.Add($"face_index = {Add((long)face)}");
        }

        if (filter.Confidence?.ToSingle() is { } confidence)
        {
            Range("confidence", confidence);
        }

        Times("stored_at", filter.StoredAt);
        Times("expires_at", filter.ExpiresAt);
        if (filter.OnHold is { } onHold)
        {
            terms.Add(onHold ? "hold IS NOT NULL" : "hold IS NULL");
        }

        Attributes(terms, filter.Attributes);
        terms.AddRange(filter.AllOf.Select(Translate).OfType<string>());
        if (filter.AnyOf.Count > 0)
        {
            string?[] parts = [.. filter.AnyOf.Select(Translate)];
            if (!parts.Contains(null))
            {
                terms.Add($"({string.Join(" OR ", parts.Select(static part => $"({part})"))})");
            }
        }

        foreach (var part in filter.NoneOf.Select(Translate))
        {
            terms.Add(part is null ? "0" : $"(({part}) IS NOT TRUE)");
        }

        return terms.Count == 0 ? null : string.Join(" AND ", terms);

        void Text(string column, string? value)
        {
            if (value is not null)
            {
                terms.Add($"{column} = {AddText(value)}");
            }
        }

        void Texts(string column, IReadOnlyList<string> values)
        {
            if (values.Count > 0)
            {
                terms.Add($"{column} IN ({string.Join(',', values.Select(AddText))})");
            }
        }

        void Prefix(string column, string? prefix)
        {
            if (prefix is { Length: > 0 })
            {
                var bytes = Encoding.UTF8.GetBytes(prefix);
                terms.Add($"{column} >= {AddText(bytes)} AND {column} < {AddText(After(bytes))}");
            }
        }

        void Times(string column, TimeRange? range)
        {
            if (range is not null)
            {
                terms.Add($"{column} >= {Add(range.First)} AND {column} <= {Add(range.Last)}");
            }
        }

        void Range(string expression, NumericRange range) => AddRange(terms, expression, range);
    }

    private void AddRange(List<string> terms, string expression, NumericRange range)
    {
        Bound(">", range.Gt);
        Bound(">=", range.Gte);
        Bound("<", range.Lt);
        Bound("<=", range.Lte);

        void Bound(string comparison, double? bound)
        {
            if (bound is { } value)
            {
                terms.Add($"{expression} {comparison} {Add(value)}");
            }
        }
    }

    private void Attributes(List<string> terms, IReadOnlyList<AttributeCondition> conditions)
    {
        var others = new List<AttributeCondition>();
        foreach (var condition in conditions)
        {
            if (_indexes.FirstOrDefault(index => index.Supports(condition)) is { } index)
            {
                Indexed(terms, index.Expression, condition);
            }
            else
            {
                others.Add(condition);
            }
        }

        // Last, because it is the most expensive: SQLite evaluates terms without an index in this order.
        if (others.Count > 0)
        {
            terms.Add($"{SqliteSession.MatchFunction}(attributes, {_matchers.Count})");
            _matchers.Add(new AttributeMatcher(others));
        }
    }

    private void Indexed(List<string> terms, string expression, AttributeCondition condition)
    {
        switch (condition)
        {
            case { Text: { } text }:
                terms.Add($"{expression} = {Add(Encoding.UTF8.GetBytes(text))}");
                break;
            case { TextIn: { } texts }:
                terms.Add($"{expression} IN ({string.Join(',', texts.Select(text => Add(Encoding.UTF8.GetBytes(text))))})");
                break;
            case { Prefix: { } prefix }:
                var bytes = Encoding.UTF8.GetBytes(prefix);
                terms.Add(
                    bytes.Length == 0
                        ? $"{expression} IS NOT NULL"
                        : $"{expression} >= {Add(bytes)} AND {expression} < {Add(After(bytes))}");
                break;
            case { Number: { } number }:
                terms.Add($"{expression} = {Add(number)}");
                break;
            case { NumberIn: { } numbers }:
                terms.Add($"{expression} IN ({string.Join(',', numbers.Select(number => Add(number)))})");
                break;
            case { Range: { } range }:
                AddRange(terms, expression, range);
                break;
            case { Flag: { } flag }:
                terms.Add($"{expression} = {Add(flag ? 1.0 : 0.0)}");
                break;
            case { Time: { } time }:
                terms.Add($"{expression} >= {Add((double)time.First)} AND {expression} <= {Add((double)time.Last)}");
                break;
            default:
                throw new ArgumentException("The condition must have a value.", nameof(condition));
        }
    }

    private string AddText(string text) => AddText(Encoding.UTF8.GetBytes(text));

    private string AddText(byte[] utf8) => $"CAST({Add(utf8)} AS TEXT)";

    private string Add(byte[] bytes) =>
        _command.Parameters.Count < MaxParameters ? Parameter(bytes) : $"x'{Convert.ToHexString(bytes)}'";

    private string Add(double number) =>
        _command.Parameters.Count < MaxParameters ? Parameter(number) : number.ToString("E16", CultureInfo.InvariantCulture);

    private string Add(long number) => Parameter(number);

    private string Parameter(object value)
    {
        var name = $"$f{_command.Parameters.Count}";
        _command.Parameters.AddWithValue(name, value);
        return name;
    }
}
