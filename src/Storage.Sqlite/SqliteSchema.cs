using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

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
    public const int Version = 1;

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

    /// <summary>Creates missing tables. UNAVAILABLE for a file of a newer server.</summary>
    public static void Prepare(SqliteSession session, string directory)
    {
        var version = (long)session.Scalar("PRAGMA user_version")!;
        if (version > Version)
        {
            throw new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"The schema version of '{PathIn(directory)}' must be at most {Version}; got {version}. "
                + "Use a newer server.");
        }

        Run(session.Connection, $"""
            BEGIN IMMEDIATE;
            CREATE TABLE IF NOT EXISTS collections(
                id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL, model TEXT,
                fingerprint TEXT);
            CREATE TABLE IF NOT EXISTS damaged(
                collection TEXT, row INTEGER, id TEXT, job_id TEXT, media_store_id TEXT, face_index INTEGER, confidence REAL,
                bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB);
            PRAGMA user_version = {Version};
            COMMIT;
            """);
    }

    /// <summary>Creates the table of a new collection.</summary>
    public static void CreatePoints(SqliteSession session, long collection) =>
        Run(session.Connection, $"""
            CREATE TABLE points_{collection}(
                row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, media_store_id TEXT NOT NULL,
                face_index INTEGER, confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB NOT NULL);
            CREATE INDEX points_{collection}_job ON points_{collection}(job_id);
            CREATE INDEX points_{collection}_media ON points_{collection}(media_store_id);
            """);

    public static void Run(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
