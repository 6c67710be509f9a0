using Embeddings.Primitives;
using Microsoft.Data.Sqlite;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite;

/// <summary>Opens the database file and creates its tables.</summary>
/// <remarks>
/// Each collection has its own table, so that its rows load sequentially and its indexes need no collection column.
/// </remarks>
internal static class SqliteSchema
{
    /// <summary>
    /// The schema version, stored as <c>user_version</c>. A server rejects files with a newer version.
    /// </summary>
    public const int Version = 2;

    // Rows that get a checksum in one transaction of an upgrade.
    private const int UpgradeRows = 5000;

    public static string PathIn(string directory) => Path.Combine(directory, "embeddings.db");

    /// <summary>
    /// Opens a connection to the file and creates it if necessary. Readers see the last commit and never wait for the
    /// writer (WAL).
    /// </summary>
    public static SqliteSession Open(string directory, bool readOnly)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = PathIn(directory),
            Mode = SqliteOpenMode.ReadWriteCreate,
            Pooling = false,
            DefaultTimeout = 10,
        }.ToString());
        try
        {
            connection.Open();
            var session = new SqliteSession(connection);
            if (sqlite3_db_readonly(connection.Handle, "main") == 1)
            {
                // SQLite would open it for reading instead.
                throw new SqliteException("The file is read-only; make it writable for the server.", SQLITE_READONLY);
            }

            // An 8 KiB page holds three points with 512 dimensions, a 4 KiB page only one. FULL: a commit is on disk
            // when it returns.
            Run(connection, "PRAGMA busy_timeout = 10000; PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;");
            Run(connection, "PRAGMA synchronous = FULL;");
            Run(connection, "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;");
            Run(connection, "PRAGMA cache_size = -16384;");
            Run(connection, readOnly ? "PRAGMA query_only = ON;" : "PRAGMA temp_store = MEMORY;");
            return session;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Creates the tables of a new file and upgrades a file of an earlier server. UNAVAILABLE for a file of a newer
    /// server. Writes nothing to a file of this version, so that it can be opened on a full disk.
    /// </summary>
    public static void Prepare(SqliteSession session, string directory)
    {
        var version = VersionOf(session);
        if (version > Version)
        {
            throw new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"The schema version of '{PathIn(directory)}' must be at most {Version}; got {version}. "
                + "Use a newer server.");
        }

        if (version == 0)
        {
            Run(session.Connection, $"""
                BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS collections(
                    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL, model TEXT,
                    fingerprint TEXT);
                CREATE TABLE IF NOT EXISTS damaged(
                    collection TEXT, row INTEGER, id TEXT, job_id TEXT, media_store_id TEXT, face_index INTEGER,
                    confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB, checksum INTEGER);
                PRAGMA user_version = {Version};
                COMMIT;
                """);
        }
        else if (version < Version)
        {
            AddChecksums(session);
        }
    }

    /// <summary>The schema version of a file; 0 if it is new.</summary>
    public static long VersionOf(SqliteSession session) => (long)session.Scalar("PRAGMA user_version")!;

    /// <summary>Creates the table of a new collection.</summary>
    public static void CreatePoints(SqliteSession session, long collection) =>
        Run(session.Connection, $"""
            CREATE TABLE points_{collection}(
                row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, media_store_id TEXT NOT NULL,
                face_index INTEGER, confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB NOT NULL,
                checksum INTEGER);
            CREATE INDEX points_{collection}_job ON points_{collection}(job_id);
            CREATE INDEX points_{collection}_media ON points_{collection}(media_store_id);
            """);

    /// <summary>
    /// Upgrades version 1, whose rows have no checksum. The version is set at the end: an interrupted upgrade continues
    /// at the next start.
    /// </summary>
    private static void AddChecksums(SqliteSession session)
    {
        var keys = new List<long>();
        using (var reader = session.Read("SELECT id FROM collections"))
        {
            while (reader.Read())
            {
                keys.Add(reader.GetInt64(0));
            }
        }

        foreach (var table in keys.Select(static key => new PointStatements(key).Table).Prepend("damaged"))
        {
            if ((long)session.Scalar($"SELECT count(*) FROM pragma_table_info('{table}') WHERE name = 'checksum'")! == 0)
            {
                Run(session.Connection, $"ALTER TABLE {table} ADD COLUMN checksum INTEGER");
            }
        }

        try
        {
            foreach (var key in keys)
            {
                AddChecksums(session, new PointStatements(key).Table);
            }

            Run(session.Connection, $"PRAGMA user_version = {Version}");
        }
        catch (SqliteException exception) when (SqliteFaults.IsDiskFull(exception))
        {
            // The store works without: the next start continues.
            session.EndTransaction();
        }
    }

    private static void AddChecksums(SqliteSession session, string table)
    {
        using var select = new PreparedStatement(
            session.Connection.Handle!,
            $"SELECT {PointChecksum.Columns}, row FROM {table} WHERE row > ?1 AND checksum IS NULL ORDER BY row LIMIT ?2");
        using var update = new PreparedStatement(
            session.Connection.Handle!, $"UPDATE {table} SET checksum = ?1 WHERE row = ?2");
        var checksums = new List<(long Row, long Checksum)>();
        var last = long.MinValue;
        do
        {
            checksums.Clear();
            select.Bind(1, last);
            select.Bind(2, UpgradeRows);
            while (select.Step())
            {
                last = select.Integer(PointChecksum.RowColumn);
                checksums.Add((last, PointChecksum.Of(select)));
            }

            select.Reset();
            Run(session.Connection, "BEGIN IMMEDIATE");
            foreach (var (row, checksum) in checksums)
            {
                update.Bind(1, checksum);
                update.Bind(2, row);
                update.Execute();
            }

            Run(session.Connection, "COMMIT");
        }
        while (checksums.Count == UpgradeRows);
    }

    public static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
