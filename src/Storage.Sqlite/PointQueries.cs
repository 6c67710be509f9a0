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

    /// <summary>Returns the points that exist, in the order of the ids.</summary>
    public static IReadOnlyList<StoredPoint> FindAll(
        SqliteSession session,
        CollectionIndex index,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease)
    {
        var points = new List<StoredPoint>(ids.Count);
        foreach (var id in ids)
        {
            using var reader = session.Read(index.Statements.ById, Encoding.UTF8.GetBytes(id));
            if (reader.Read())
            {
                var point = PointCodec.Decode(reader, withPayload, withVectors);
                lease?.Add(point);
                points.Add(point);
            }
        }

        return points;
    }

    public static long Count(SqliteSession session, CollectionIndex index, PointFilter filter)
    {
        using var command = FilterSql.Command(
            session, $"SELECT count(*) FROM {index.Statements.Table}", filter, indexes: index.Attributes.Indexes);
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>Returns the row numbers of the points that match.</summary>
    public static SelectedRows Rows(SqliteSession session, CollectionIndex index, PointFilter filter)
    {
        var rows = new SelectedRows();
        using var command = FilterSql.Command(
            session, $"SELECT row FROM {index.Statements.Table}", filter, indexes: index.Attributes.Indexes);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            rows.Add(reader.GetInt64(0));
        }

        return rows;
    }

    /// <summary>Returns a page of ids and jobs in the order of row numbers.</summary>
    public static PointKeyPage Keys(SqliteSession session, CollectionIndex index, PointFilter filter, int size, long after)
    {
        var table = index.Statements.Table;
        using var command = FilterSql.Command(
            session, $"SELECT id, job_id, row FROM {table}", filter, "row > $after", "ORDER BY row LIMIT $limit", index.Attributes.Indexes);
        command.Parameters.AddWithValue("$after", after);
        command.Parameters.AddWithValue("$limit", (long)size);
        var keys = new List<PointKey>();
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            keys.Add(new PointKey(PointCodec.Text(reader, 0), PointCodec.Text(reader, 1)));
            after = reader.GetInt64(2);
        }

        return new(keys, keys.Count < size ? "" : PageToken.Encode($"{table}/keys", BitConverter.GetBytes(after)));
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
            session, $"SELECT {columns}, row FROM {table}", filter, "row > $after", "ORDER BY row LIMIT $limit", index.Attributes.Indexes);
        command.Parameters.AddWithValue("$after", after);
        command.Parameters.AddWithValue("$limit", (long)size + 1);
        var points = new List<StoredPoint>();
        var bytes = 0L;
        var last = after;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            if (points.Count == size)
            {
                return Continued();
            }

            var point = PointCodec.Decode(reader, withPayload: true, withVectors);
            bytes += PointSize.Of(point);
            if (points.Count > 0 && bytes > PointPage.MaxBytes)
            {
                return Continued();
            }

            points.Add(point);
            last = reader.GetInt64(PointCodec.Count + 1);
        }

        return new PointPage(points, "");

        PointPage Continued() => new(points, PageToken.Encode(table, BitConverter.GetBytes(last)));
    }

    /// <summary>
    /// Returns the points of hits, with the score of the version that is read: it differs from the hit's if a write was
    /// committed after the scan, or before it but not yet applied in memory. Points that were deleted or no longer match
    /// are omitted; the result is then shorter.
    /// </summary>
    public static ScoredStoredPoint[][] Fetch(SqliteSession session, SearchPlan plan, Hit[][] hits, SearchSpec spec)
    {
        using var scorer = new PointScorer(plan);
        using var command = FilterSql.Command(
            session,
            $"SELECT {PointCodec.Columns}, vector FROM {plan.Index.Statements.Table}",
            spec.Filter,
            "row = $row",
            indexes: plan.Index.Attributes.Indexes);
        var row = command.Parameters.Add("$row", SqliteType.Integer);
        return [.. hits.Select(FetchAll)];

        ScoredStoredPoint[] FetchAll(Hit[] found, int query)
        {
            var points = new List<ScoredStoredPoint>(found.Length);
            var isCurrent = true;
            foreach (var hit in found)
            {
                if (Fetch(hit, query) is { } point)
                {
                    points.Add(point);
                    isCurrent &= point.Score == hit.Score;
                }
            }

            return isCurrent
                ? [.. points]
                :
                [
                    .. points
                        .OrderByDescending(static point => point.Score)
                        .ThenBy(static point => point.Point.Id, StringComparer.Ordinal),
                ];
        }

        ScoredStoredPoint? Fetch(Hit hit, int query)
        {
            row.Value = hit.Row;
            using var reader = command.ExecuteReader();
            if (!reader.Read()
                || scorer.Score(query, PointCodec.Vector(reader)) is not { } score
                || score < spec.ScoreThreshold)
            {
                return null;
            }

            var point = PointCodec.Decode(reader, spec.WithPayload, spec.WithVectors);
            spec.Lease?.Add(point);
            return new ScoredStoredPoint(score, point);
        }
    }
}
