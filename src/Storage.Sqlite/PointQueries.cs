using System.Text;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Queries on a collection's table.</summary>
internal static class PointQueries
{
    public static StoredPoint? Find(SqliteSession session, CollectionIndex index, string id)
    {
        using var reader = session.Read(index.Statements.ById, Encoding.UTF8.GetBytes(id));
        return reader.Read() ? PointCodec.Decode(reader, withPayload: true, withVector: true) : null;
    }

    public static long Count(SqliteSession session, CollectionIndex index, PointFilter filter)
    {
        using var command = FilterSql.Command(session, $"SELECT count(*) FROM {index.Statements.Table}", filter);
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>Returns the row numbers of the points that match.</summary>
    public static long[] Rows(SqliteSession session, CollectionIndex index, PointFilter filter)
    {
        var rows = new List<long>();
        using var command = FilterSql.Command(session, $"SELECT row FROM {index.Statements.Table}", filter);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            rows.Add(reader.GetInt64(0));
        }

        return [.. rows];
    }

    /// <summary>
    /// Returns a page in the order of row numbers, which is the order of insertion; replacing a point does not change
    /// its position.
    /// </summary>
    public static PointPage Page(
        SqliteSession session, CollectionIndex index, PointFilter filter, int size, long after, bool withVectors)
    {
        var columns = withVectors ? $"{PointCodec.Columns}, vector" : $"{PointCodec.Columns}, NULL";
        var table = index.Statements.Table;
        using var command = FilterSql.Command(
            session, $"SELECT {columns}, row FROM {table}", filter, "row > $after", "ORDER BY row LIMIT $limit");
        command.Parameters.AddWithValue("$after", after);
        command.Parameters.AddWithValue("$limit", (long)size + 1);
        var points = new List<StoredPoint>();
        var last = after;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            if (points.Count == size)
            {
                return new PointPage(points, PageToken.Encode(table, BitConverter.GetBytes(last)));
            }

            points.Add(PointCodec.Decode(reader, withPayload: true, withVectors));
            last = reader.GetInt64(9);
        }

        return new PointPage(points, "");
    }

    /// <summary>
    /// Returns the points of hits. Points that were deleted after the scan or no longer match the filter are omitted;
    /// the result is then shorter.
    /// </summary>
    public static ScoredStoredPoint[][] Fetch(SqliteSession session, CollectionIndex index, Hit[][] hits, SearchSpec spec)
    {
        using var command = FilterSql.Command(
            session, $"SELECT {PointCodec.Columns}, vector FROM {index.Statements.Table}", spec.Filter, "row = $row");
        var row = command.Parameters.Add("$row", SqliteType.Integer);
        return [.. hits.Select(found => found.Select(Fetch).OfType<ScoredStoredPoint>().ToArray())];

        ScoredStoredPoint? Fetch(Hit hit)
        {
            row.Value = hit.Row;
            using var reader = command.ExecuteReader();
            return reader.Read()
                ? new ScoredStoredPoint(hit.Score, PointCodec.Decode(reader, spec.WithPayload, spec.WithVectors))
                : null;
        }
    }
}
