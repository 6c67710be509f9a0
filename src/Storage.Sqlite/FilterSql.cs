using System.Text;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>A filter as SQL over a collection's table. Every value is a parameter.</summary>
internal static class FilterSql
{
    /// <summary>A command <c>head WHERE filter AND condition tail</c>, not prepared; the session's matcher is set for it.</summary>
    public static SqliteCommand Command(SqliteSession session, string head, PointFilter filter, string condition = "", string tail = "")
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
            // Confidences are single-precision: 0.9 as a double is above 0.9 as a float, and "0.9 or more" must find it.
            Bound(">", range.Gt);
            Bound(">=", range.Gte);
            Bound("<", range.Lt);
            Bound("<=", range.Lte);
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
