using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>The database file: how it is opened and what is in it.</summary>
/// <remarks>Each collection has a table of its own, so that its rows page and load in one run and its indexes carry no collection column.</remarks>
internal static class SqliteSchema
{
    /// <summary>Kept as <c>user_version</c>. A server refuses files of newer ones.</summary>
    public const int Version = 1;

    public static string PathIn(string directory) => Path.Combine(directory, "embeddings.db");

    /// <summary>A connection to the file, made if missing. Readers see the last commit and never wait for the writer (WAL).</summary>
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

            // 8 KiB pages hold three 512-d points, 4 KiB ones only one. FULL: a commit is on the disk when it returns.
            Run(connection, "PRAGMA busy_timeout = 10000; PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
            Run(connection, "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384;");
            Run(connection, readOnly ? "PRAGMA query_only = ON;" : "PRAGMA temp_store = MEMORY;");
            return session;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Makes what is missing; UNAVAILABLE for a file of a newer server.</summary>
    public static void Prepare(SqliteSession session, string directory)
    {
        var version = (long)session.Scalar("PRAGMA user_version")!;
        if (version > Version)
        {
            throw new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"'{PathIn(directory)}' has schema version {version}, made by a newer server; this one knows versions up to {Version}");
        }

        Run(session.Connection, $"""
            BEGIN IMMEDIATE;
            CREATE TABLE IF NOT EXISTS collections(
                id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, dimension INTEGER NOT NULL, model TEXT, fingerprint TEXT);
            CREATE TABLE IF NOT EXISTS damaged(
                collection TEXT, row INTEGER, id TEXT, job_id TEXT, media_store_id TEXT, face_index INTEGER, confidence REAL,
                bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB);
            PRAGMA user_version = {Version};
            COMMIT;
            """);
    }

    /// <summary>Makes the table of a new collection.</summary>
    public static void CreatePoints(SqliteSession session, long collection) =>
        Run(session.Connection, $"""
            CREATE TABLE points_{collection}(
                row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, job_id TEXT NOT NULL, media_store_id TEXT NOT NULL, face_index INTEGER,
                confidence REAL, bbox BLOB, landmarks BLOB, attributes TEXT, vector BLOB NOT NULL);
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
