namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Tables of dropped collections. To drop a large table with its content overwritten takes long and a log of its size, so it
/// only gets another name, and its rows are deleted in small transactions afterwards, also after a restart.
/// </summary>
internal static class DroppedTables
{
    private const string Prefix = "dropped_";

    // Rows that are deleted in one transaction: some ten milliseconds.
    private const int RowsAtOnce = 1000;

    /// <summary>Drops the table of a collection, or renames it if it is large.</summary>
    public static void Drop(SqliteSession session, long collection, long rows)
    {
        var table = new PointStatements(collection).Table;
        if (rows <= RowsAtOnce)
        {
            session.Execute($"DROP TABLE {table}");
        }
        else
        {
            session.Execute($"ALTER TABLE {table} RENAME TO {Prefix}{collection}");
        }
    }

    /// <summary>Returns true if there are tables to erase.</summary>
    public static bool Exist(SqliteSession session) => Find(session) is not null;

    /// <summary>Deletes some rows, or drops an empty table. Returns 0 if nothing is left.</summary>
    public static long EraseSome(SqliteSession session)
    {
        if (Find(session) is not { } table)
        {
            return 0;
        }

        var deleted = session.Execute(
            $"DELETE FROM {table} WHERE row IN (SELECT row FROM {table} ORDER BY row LIMIT {RowsAtOnce})");
        if (deleted < RowsAtOnce)
        {
            session.Execute($"DROP TABLE {table}");
        }

        return Math.Max(1, deleted);
    }

    private static string? Find(SqliteSession session) => (string?)session.Scalar(
        $"SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '{Prefix}[0-9]*' LIMIT 1");
}
