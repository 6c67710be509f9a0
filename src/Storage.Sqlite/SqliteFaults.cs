using Embeddings.Primitives;
using Microsoft.Data.Sqlite;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite;

/// <summary>What SQLite's errors mean to callers.</summary>
internal static class SqliteFaults
{
    /// <summary>Whether the machine is to blame (a full or failing disk, a damaged file), so that no other request would fare better.</summary>
    public static bool IsEnvironment(Exception exception) =>
        exception is SqliteException
        {
            SqliteErrorCode: SQLITE_BUSY or SQLITE_LOCKED or SQLITE_NOMEM or SQLITE_READONLY or SQLITE_IOERR or SQLITE_CORRUPT or SQLITE_FULL or SQLITE_CANTOPEN
                or SQLITE_PROTOCOL or SQLITE_NOTADB,
        };

    /// <summary>
    /// UNAVAILABLE where the machine is to blame, NOT_FOUND where the collection was deleted since the call found it; else the error itself, which is a bug.
    /// </summary>
    public static Exception ToFault(Exception exception) =>
        IsEnvironment(exception) ? new Fault(FaultKind.Unavailable, Reasons.StoreUnavailable, $"the store cannot use its file: {exception.Message}", inner: exception)
        : IsMissingTable(exception) ? new Fault(FaultKind.NotFound, Reasons.CollectionNotFound, "the collection was deleted meanwhile", "collection", inner: exception)
        : exception;

    // SQLite has no code for it. A statement that was prepared before the table went is prepared anew, and fails with the same words.
    private static bool IsMissingTable(Exception exception) =>
        exception is SqliteException { SqliteErrorCode: SQLITE_ERROR } && exception.Message.Contains("no such table", StringComparison.Ordinal);
}
