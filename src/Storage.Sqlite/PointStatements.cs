namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The SQL statements on a collection's table, built once, because sessions cache prepared statements by their SQL.
/// </summary>
internal sealed class PointStatements
{
    private const string Assign =
        "job_id = ?2, media_store_id = ?3, face_index = ?4, confidence = ?5, "
        + "bbox = ?6, landmarks = ?7, attributes = ?8, vector = ?9, checksum = ?10, stored_at = ?12, expires_at = ?13";

    private readonly string _insert;
    private readonly string _replace;
    private readonly string _delete;
    private readonly string _held;
    private readonly string _setHold;
    private readonly string _endHold;
    private readonly string _update;
    private readonly string _checked;

    public PointStatements(long collection)
    {
        Table = $"points_{collection}";
        _insert = $"""
            INSERT INTO {Table}(
                row, id, job_id, media_store_id, face_index, confidence, bbox, landmarks, attributes, vector, checksum,
                stored_at, expires_at, hold)
            VALUES (?11, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?12, ?13, ?14) ON CONFLICT(id) DO NOTHING
            """;
        _replace = $"UPDATE {Table} SET {Assign} WHERE id = ?1 AND (hold IS NULL OR ?14 = 1) RETURNING row";
        _delete = $"DELETE FROM {Table} WHERE id = CAST($1 AS TEXT) AND hold IS NULL RETURNING row";
        _held = $"SELECT count(*) FROM {Table} WHERE id = CAST($1 AS TEXT) AND hold IS NOT NULL";
        _setHold = $"UPDATE {Table} SET hold = 1 WHERE id = CAST($1 AS TEXT) AND hold IS NULL";
        _endHold = $"UPDATE {Table} SET hold = NULL WHERE id = CAST($1 AS TEXT) AND hold IS NOT NULL";
        ById = $"SELECT {PointCodec.Columns}, vector FROM {Table} WHERE id = CAST($1 AS TEXT)";
        DeleteRow = $"DELETE FROM {Table} WHERE row = $1";
        FacesOfJob = $"SELECT id, row, hold FROM {Table} WHERE job_id = CAST($1 AS TEXT) AND face_index IS NOT NULL";
        _checked = $"SELECT {PointChecksum.Columns} FROM {Table} WHERE id = ?1";
        _update = $"UPDATE {Table} SET attributes = ?2, checksum = ?3 WHERE id = ?1 RETURNING row";
    }

    public string Table { get; }

    public string ById { get; }

    public string DeleteRow { get; }

    /// <summary>Selects the ids and row numbers of a job's points that have a face index.</summary>
    public string FacesOfJob { get; }

    /// <summary>Inserts the point with this row number. Returns false if its id exists.</summary>
    public bool TryInsert(SqliteSession session, PointRow point, long row)
    {
        var statement = session.Statement(_insert);
        Bind(statement, point);
        statement.Bind(11, row);
        return statement.Execute() == 1;
    }

    /// <summary>
    /// Replaces the point with this id and returns its row number, which stays the same so that running listings
    /// neither miss nor repeat it. Returns null if it is on legal hold.
    /// </summary>
    public long? Replace(SqliteSession session, PointRow point)
    {
        var statement = session.Statement(_replace);
        Bind(statement, point);
        return statement.Scalar();
    }

    /// <summary>Returns true if the point exists and is on legal hold.</summary>
    public bool IsHeld(SqliteSession session, byte[] id) => (long)session.Scalar(_held, id)! > 0;

    /// <summary>Puts the point on legal hold or ends the hold. Returns the number of points that changed, 0 or 1.</summary>
    public int SetHold(SqliteSession session, byte[] id, bool hold) => session.Execute(hold ? _setHold : _endHold, id);

    /// <summary>Replaces the attributes of the point with this id, whose other columns are the same, and returns its row number.</summary>
    public long UpdateAttributes(SqliteSession session, PointRow point)
    {
        var isIntact = IsIntact(session, point.IdText);
        var statement = session.Statement(_update);
        statement.BindText(1, point.IdText);
        statement.BindText(2, point.Attributes);
        // A point that is damaged must not get a checksum that holds.
        statement.Bind(3, isIntact ? point.Checksum : ~point.Checksum);
        return statement.Scalar()!.Value;
    }

    private bool IsIntact(SqliteSession session, byte[] id)
    {
        var statement = session.Statement(_checked);
        statement.BindText(1, id);
        try
        {
            return statement.Step() && PointChecksum.Holds(statement);
        }
        finally
        {
            statement.Reset();
        }
    }

    /// <summary>Deletes a point by id and returns its row number; null if it does not exist or is on legal hold.</summary>
    public long? Delete(SqliteSession session, byte[] id) => (long?)session.Scalar(_delete, id);

    private static void Bind(PreparedStatement statement, PointRow point)
    {
        statement.BindText(1, point.IdText);
        statement.BindText(2, point.JobId);
        statement.BindText(3, point.MediaStoreId);
        statement.Bind(4, point.FaceIndex);
        statement.Bind(5, point.Confidence);
        statement.BindBlob(6, point.Bbox);
        statement.BindBlob(7, point.Landmarks);
        statement.BindText(8, point.Attributes);
        statement.BindBlob(9, point.Vector.Span);
        statement.Bind(10, point.Checksum);
        statement.Bind(12, point.StoredAt);
        statement.Bind(13, point.ExpiresAt);
        // Sets the hold of a new point. A copy may replace a point on hold by its version on hold.
        statement.Bind(14, point.OnHold ? 1L : null);
    }
}
