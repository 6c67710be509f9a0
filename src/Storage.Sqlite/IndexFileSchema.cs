namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The database's part of the files of indexes: a generation for each file, and the rows that were replaced or deleted since the
/// file was written. Triggers record those rows, so that no program that changes the database can forget it.
/// </summary>
internal static class IndexFileSchema
{
    /// <summary>Returns generation and epoch of a collection's file; null if it has none, or changes are not recorded.</summary>
    public static (long Generation, long Epoch)? Find(SqliteSession session, CollectionIndex index)
    {
        if (!Exists(session))
        {
            return null;
        }

        var triggers = (long)session.Scalar(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = $1 AND name IN ($2, $3)",
            index.Statements.Table,
            Replaced(index),
            Deleted(index))!;
        using var reader = session.Read("SELECT generation, epoch FROM index_files WHERE collection = $1", index.Key);
        return triggers == 2 && reader.Read() ? (reader.GetInt64(0), reader.GetInt64(1)) : null;
    }

    /// <summary>Returns the rows that were replaced or deleted since the file was written.</summary>
    public static HashSet<long> Changes(SqliteSession session, CollectionIndex index)
    {
        var rows = new HashSet<long>();
        using var reader = session.Read("SELECT row FROM index_changes WHERE collection = $1", index.Key);
        while (reader.Read())
        {
            rows.Add(reader.GetInt64(0));
        }

        return rows;
    }

    /// <summary>Returns whether the files may have rows that were replaced or deleted.</summary>
    public static bool HasChanges(SqliteSession session) =>
        Exists(session) && (long)session.Scalar("SELECT EXISTS (SELECT 1 FROM index_changes)")! == 1;

    /// <summary>Records a file without blocks, and from now on the rows that change.</summary>
    public static void Create(SqliteSession session, CollectionIndex index, long generation)
    {
        var (table, key) = (index.Statements.Table, index.Key);
        SqliteSchema.Run(session.Connection, $"""
            CREATE TABLE IF NOT EXISTS index_files(
                collection INTEGER PRIMARY KEY, generation INTEGER NOT NULL, epoch INTEGER NOT NULL);
            CREATE TABLE IF NOT EXISTS index_changes(
                collection INTEGER, row INTEGER, epoch INTEGER NOT NULL, PRIMARY KEY (collection, row)) WITHOUT ROWID;
            CREATE TRIGGER IF NOT EXISTS {Replaced(index)} AFTER UPDATE OF vector ON {table} BEGIN
                INSERT OR REPLACE INTO index_changes(collection, row, epoch)
                    SELECT collection, OLD.row, epoch FROM index_files WHERE collection = {key};
            END;
            CREATE TRIGGER IF NOT EXISTS {Deleted(index)} AFTER DELETE ON {table} BEGIN
                INSERT OR REPLACE INTO index_changes(collection, row, epoch)
                    SELECT collection, OLD.row, epoch FROM index_files WHERE collection = {key};
            END;
            DELETE FROM index_changes WHERE collection = {key};
            INSERT OR REPLACE INTO index_files(collection, generation, epoch) VALUES ({key}, {generation}, 1);
            """);
    }

    /// <summary>Begins an epoch: rows that change from now on may be in blocks as they were before.</summary>
    public static void Begin(SqliteSession session, CollectionIndex index, long generation) => session.Execute(
        "UPDATE index_files SET generation = $1, epoch = epoch + 1 WHERE collection = $2", generation, index.Key);

    /// <summary>Forgets the rows that changed before the current epoch, since no block has them as they were.</summary>
    public static void End(SqliteSession session, CollectionIndex index, long generation)
    {
        session.Execute(
            "DELETE FROM index_changes WHERE collection = $1 AND epoch < (SELECT epoch FROM index_files WHERE collection = $1)",
            index.Key);
        session.Execute("UPDATE index_files SET generation = $1 WHERE collection = $2", generation, index.Key);
    }

    /// <summary>Forgets a file that does not exist any more. Writes nothing if there is nothing to forget.</summary>
    public static void Remove(SqliteSession session, long collection)
    {
        if (Exists(session))
        {
            Remove(session, "collection = $1", collection);
        }
    }

    /// <summary>Forgets the files of collections that do not exist any more. Writes nothing if there is nothing to forget.</summary>
    public static void RemoveOthers(SqliteSession session)
    {
        if (Exists(session))
        {
            Remove(session, "collection NOT IN (SELECT id FROM collections)");
        }
    }

    /// <summary>Forgets all files.</summary>
    public static void RemoveAll(SqliteSession session)
    {
        if (Exists(session))
        {
            session.Execute("DELETE FROM index_files");
            session.Execute("DELETE FROM index_changes");
        }
    }

    private static void Remove(SqliteSession session, string condition, params ReadOnlySpan<object> values)
    {
        foreach (var table in (string[])["index_files", "index_changes"])
        {
            if ((long)session.Scalar($"SELECT EXISTS (SELECT 1 FROM {table} WHERE {condition})", values)! == 1)
            {
                session.Execute($"DELETE FROM {table} WHERE {condition}", values);
            }
        }
    }

    private static bool Exists(SqliteSession session) => (long)session.Scalar(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('index_files', 'index_changes')")! == 2;

    private static string Replaced(CollectionIndex index) => index.Statements.Table + "_replaced";

    private static string Deleted(CollectionIndex index) => index.Statements.Table + "_deleted";
}
