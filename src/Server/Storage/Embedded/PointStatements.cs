using Microsoft.Data.Sqlite;

namespace Embeddings.Server.Storage.Embedded;

/// <summary>The statements on one collection's table. Their texts are made once: sessions keep prepared commands by them.</summary>
internal sealed class PointStatements
{
    private const string Assign =
        "job_id = CAST($2 AS TEXT), media_store_id = CAST($3 AS TEXT), face_index = $4, confidence = $5, bbox = $6, landmarks = $7, "
        + "attributes = CAST($8 AS TEXT), vector = $9";

    private readonly string _insert;
    private readonly string _replace;
    private readonly string _delete;

    public PointStatements(long collection)
    {
        Table = $"points_{collection}";
        _insert = $"""
            INSERT INTO {Table}(row, id, job_id, media_store_id, face_index, confidence, bbox, landmarks, attributes, vector)
            VALUES ($10, CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), $4, $5, $6, $7, CAST($8 AS TEXT), $9) ON CONFLICT(id) DO NOTHING
            """;
        _replace = $"UPDATE {Table} SET {Assign} WHERE id = CAST($1 AS TEXT) RETURNING row";
        _delete = $"DELETE FROM {Table} WHERE id = CAST($1 AS TEXT) RETURNING row";
        ById = $"SELECT {PointCodec.Columns}, vector FROM {Table} WHERE id = CAST($1 AS TEXT)";
        DeleteRow = $"DELETE FROM {Table} WHERE row = $1";
    }

    public string Table { get; }

    public string ById { get; }

    public string DeleteRow { get; }

    /// <summary>Inserts the point under this row number unless its id exists.</summary>
    public bool TryInsert(SqliteSession session, PointRow point, long row)
    {
        var command = session.Prepare(_insert, 10);
        Bind(command, point);
        command.Parameters[9].Value = row;
        return command.ExecuteNonQuery() == 1;
    }

    /// <summary>Overwrites the point of this id, which keeps its row number: listings that are under way neither miss nor repeat it.</summary>
    public long Replace(SqliteSession session, PointRow point)
    {
        var command = session.Prepare(_replace, 9);
        Bind(command, point);
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>Deletes by id and tells the row number; null where the id is not there.</summary>
    public long? Delete(SqliteSession session, byte[] id) => (long?)session.Scalar(_delete, id);

    private static void Bind(SqliteCommand command, PointRow point)
    {
        var parameters = command.Parameters;
        parameters[0].Value = point.IdText;
        parameters[1].Value = point.JobId;
        parameters[2].Value = point.MediaStoreId;
        parameters[3].Value = point.FaceIndex ?? (object)DBNull.Value;
        parameters[4].Value = point.Confidence is { } confidence ? (double)confidence : DBNull.Value;
        parameters[5].Value = point.Bbox ?? (object)DBNull.Value;
        parameters[6].Value = point.Landmarks ?? (object)DBNull.Value;
        parameters[7].Value = point.Attributes ?? (object)DBNull.Value;
        parameters[8].Value = point.Vector;
    }
}
