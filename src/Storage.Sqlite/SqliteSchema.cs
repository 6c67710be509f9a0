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
    public const int Version = 4;

    /// <summary>Time that a connection waits for others, milliseconds.</summary>
    public const int BusyMilliseconds = 10_000;

    // Rows that get a checksum in one transaction of an upgrade.
    private const int UpgradeRows = 5000;

    // The columns of a checksum in a table that has no times yet.
    private const string ColumnsBeforeRetention =
        "id, job_id, media_store_id, face_index, confidence, bbox, landmarks, attributes, NULL, NULL, NULL, vector, checksum";

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
            Run(connection, $"PRAGMA busy_timeout = {BusyMilliseconds}");
            Run(connection, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;");
            Run(connection, "PRAGMA synchronous = FULL;");
            Run(connection, "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;");
            Run(connection, "PRAGMA cache_size = -16384;");
            // Temporary files would keep copies of points.
            Run(connection, "PRAGMA temp_store = MEMORY;");
            // What is deleted or replaced is overwritten with zeros within its page; see PageScrubber for the rest.
            Run(connection, readOnly ? "PRAGMA query_only = ON;" : "PRAGMA secure_delete = ON;");
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
    /// <param name="session">A session for writing.</param>
    /// <param name="directory">The directory of the file.</param>
    /// <param name="now">The time, which becomes that of storing for all points of an earlier server.</param>
    /// <returns>True if a file was upgraded whose server left in it what it had deleted, which is version 1 or 2.</returns>
    public static bool Prepare(SqliteSession session, string directory, DateTimeOffset now)
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
            Run(session.Connection, """
                BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS collections(
                    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL, model TEXT,
                    fingerprint TEXT);
                CREATE TABLE IF NOT EXISTS damaged(
                    collection TEXT, row INTEGER, id TEXT, job_id TEXT, media_store_id TEXT, face_index INTEGER,
                    confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, stored_at INTEGER, expires_at INTEGER,
                    hold INTEGER, vector BLOB, checksum INTEGER);
                CREATE TABLE IF NOT EXISTS facts(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
                """);
            AddVersion4(session);
        }
        else if (version < Version)
        {
            var keys = Keys(session);
            if (version < 2)
            {
                AddChecksums(session, keys);
            }

            if (version < 3)
            {
                AddRetention(session, keys, now);
            }

            Run(session.Connection, "BEGIN IMMEDIATE");
            AddVersion4(session);
            return version < 3;
        }

        return false;
    }

    // Within a transaction, which it commits.
    private static void AddVersion4(SqliteSession session)
    {
        try
        {
            AttributeIndexes.CreateTable(session);
            SettingsTables.Create(session);
            Run(session.Connection, $"PRAGMA user_version = {Version}; COMMIT;");
        }
        catch
        {
            session.EndTransaction();
            throw;
        }
    }

    /// <summary>Returns a number that the store remembers; null if it was never set.</summary>
    public static long? Fact(SqliteSession session, string name) =>
        (long?)session.Scalar("SELECT value FROM facts WHERE name = $1", name);

    /// <summary>Remembers a number.</summary>
    public static void SetFact(SqliteSession session, string name, long value) => session.Execute(
        "INSERT INTO facts(name, value) VALUES ($1, $2) ON CONFLICT(name) DO UPDATE SET value = excluded.value", name, value);

    /// <summary>The schema version of a file; 0 if it is new.</summary>
    public static long VersionOf(SqliteSession session) => (long)session.Scalar("PRAGMA user_version")!;

    /// <summary>Creates the table of a new collection.</summary>
    public static void CreatePoints(SqliteSession session, long collection) =>
        Run(session.Connection, $"""
            CREATE TABLE points_{collection}(
                row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, media_store_id TEXT NOT NULL,
                face_index INTEGER, confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, stored_at INTEGER,
                expires_at INTEGER, hold INTEGER, vector BLOB NOT NULL, checksum INTEGER);
            CREATE INDEX points_{collection}_job ON points_{collection}(job_id);
            CREATE INDEX points_{collection}_media ON points_{collection}(media_store_id);
            {IndexesOfRetention(collection)}
            """);

    // Few points have a time of expiry or are on hold, and only those are in the indexes.
    private static string IndexesOfRetention(long collection) => $"""
        CREATE INDEX IF NOT EXISTS points_{collection}_expiry ON points_{collection}(expires_at) WHERE expires_at IS NOT NULL;
        CREATE INDEX IF NOT EXISTS points_{collection}_hold ON points_{collection}(hold) WHERE hold IS NOT NULL;
        """;

    private static List<long> Keys(SqliteSession session)
    {
        var keys = new List<long>();
        using var reader = session.Read("SELECT id FROM collections");
        while (reader.Read())
        {
            keys.Add(reader.GetInt64(0));
        }

        return keys;
    }

    /// <summary>
    /// Upgrades version 2, which had neither times nor legal holds, in one transaction. Its points have no time of storing:
    /// they count as stored now.
    /// </summary>
    private static void AddRetention(SqliteSession session, List<long> keys, DateTimeOffset now)
    {
        Run(session.Connection, "BEGIN IMMEDIATE");
        try
        {
            foreach (var table in keys.Select(static key => new PointStatements(key).Table).Prepend("damaged"))
            {
                foreach (var column in (string[])["stored_at", "expires_at", "hold"])
                {
                    Run(session.Connection, $"ALTER TABLE {table} ADD COLUMN {column} INTEGER");
                }
            }

            foreach (var key in keys)
            {
                Run(session.Connection, IndexesOfRetention(key));
            }

            Run(session.Connection, "CREATE TABLE facts(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID");
            SetFact(session, Facts.UpgradedAt, now.ToUnixTimeMilliseconds());
            // The earlier version left what it deleted in the file.
            SetFact(session, Facts.Erasing, 1);
            Run(session.Connection, "PRAGMA user_version = 3; COMMIT;");
        }
        catch
        {
            session.EndTransaction();
            throw;
        }
    }

    /// <summary>
    /// Upgrades version 1, whose rows have no checksum. The version is set at the end: an interrupted upgrade continues
    /// at the next start.
    /// </summary>
    private static void AddChecksums(SqliteSession session, List<long> keys)
    {
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

            Run(session.Connection, "PRAGMA user_version = 2");
        }
        catch (SqliteException exception) when (SqliteFaults.IsDiskFull(exception))
        {
            // The store works without, and deletions make space; but the columns of the next version are required.
            session.EndTransaction();
        }
    }

    private static void AddChecksums(SqliteSession session, string table)
    {
        using var select = new PreparedStatement(
            session.Connection.Handle!,
            $"SELECT {ColumnsBeforeRetention}, row FROM {table} WHERE row > ?1 AND checksum IS NULL ORDER BY row LIMIT ?2");
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

/// <summary>Names of the numbers that the store remembers in the table <c>facts</c>.</summary>
internal static class Facts
{
    /// <summary>Time of the upgrade from a version without times, milliseconds of Unix time.</summary>
    public const string UpgradedAt = "upgraded_at";

    /// <summary>1 while the files may hold what was deleted; otherwise 0.</summary>
    public const string Erasing = "erasing";
}
