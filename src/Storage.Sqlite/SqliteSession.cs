using System.Text;
using Embeddings.Primitives;
using Microsoft.Data.Sqlite;
using SQLitePCL;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite;

/// <summary>A connection with its prepared statements. Not thread-safe.</summary>
internal sealed class SqliteSession : IDisposable
{
    /// <summary>The SQL function that calls one of <see cref="Matchers"/>, by its position.</summary>
    public const string MatchFunction = "attributes_match";

    /// <summary>The SQL function of the indexes of attributes (<see cref="AttributeIndex"/>): attributes, path, type.</summary>
    public const string KeyFunction = "attribute_key";

    // Functions in indexes must be deterministic; as an innocuous one it may be in them under any setting.
    private const int KeyFunctionFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | 0x200000;

    // The number of instructions between two checks for cancellation: some hundred rows, or less than a millisecond.
    private const int InstructionsPerCheck = 2000;

    // There are few kinds of statements; this limits their number with thousands of collections.
    private const int MaxPrepared = 512;

    private readonly Dictionary<string, SqliteCommand> _prepared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PreparedStatement> _statements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, byte[][]> _paths = new(StringComparer.Ordinal);

    public SqliteSession(SqliteConnection connection)
    {
        Connection = connection;
        connection.CreateFunction(MatchFunction, (byte[]? json, int matcher) => Matchers[matcher].Matches(json));
        SqliteException.ThrowExceptionForRC(
            sqlite3_create_function(connection.Handle, KeyFunction, 3, KeyFunctionFlags, null, Key), connection.Handle);
    }

    public SqliteConnection Connection { get; }

    /// <summary>The matchers that <see cref="MatchFunction"/> uses in the running statement.</summary>
    public IReadOnlyList<AttributeMatcher> Matchers { get; set; } = [];

    /// <summary>Interrupts statements; effective after <see cref="CheckCancellation"/>.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>
    /// Makes statements check <see cref="Cancellation"/> while they run. Unlike sqlite3_interrupt, which has no effect
    /// between two statements, this misses no cancellation.
    /// </summary>
    public void CheckCancellation() => sqlite3_progress_handler(
        Connection.Handle, InstructionsPerCheck, _ => Cancellation.IsCancellationRequested ? 1 : 0, null);

    /// <summary>Returns the prepared command for this SQL; the caller sets its parameters by position.</summary>
    public SqliteCommand Prepare(string sql, int parameters)
    {
        if (_prepared.TryGetValue(sql, out var command))
        {
            return command;
        }

        MakeRoom();
        command = Connection.CreateCommand();
        command.CommandText = sql;
        for (var i = 1; i <= parameters; i++)
        {
            command.Parameters.Add(new SqliteParameter($"${i}", DBNull.Value));
        }

        command.Prepare();
        _prepared.Add(sql, command);
        return command;
    }

    /// <summary>Returns the prepared statement for this SQL; the caller binds its parameters.</summary>
    public PreparedStatement Statement(string sql)
    {
        if (_statements.TryGetValue(sql, out var statement))
        {
            return statement;
        }

        MakeRoom();
        statement = new PreparedStatement(Connection.Handle!, sql);
        _statements.Add(sql, statement);
        return statement;
    }

    public int Execute(string sql, params ReadOnlySpan<object> values) => With(sql, values).ExecuteNonQuery();

    /// <summary>Returns the first column of the first row; null if there is no row.</summary>
    public object? Scalar(string sql, params ReadOnlySpan<object> values) => With(sql, values).ExecuteScalar();

    public SqliteDataReader Read(string sql, params ReadOnlySpan<object> values) => With(sql, values).ExecuteReader();

    /// <summary>Rolls back the transaction if it is still open; some failures have already done so.</summary>
    public void EndTransaction()
    {
        if (sqlite3_get_autocommit(Connection.Handle) == 0)
        {
            Execute("ROLLBACK");
        }
    }

    public void Dispose()
    {
        DropPrepared();
        Connection.Dispose();
    }

    private void Key(sqlite3_context context, object data, sqlite3_value[] arguments)
    {
        var path = sqlite3_value_text(arguments[1]).utf8_to_string();
        if (!_paths.TryGetValue(path, out var names))
        {
            _paths.Add(path, names = AttributeIndex.NamesOf(path));
        }

        var type = (AttributeType)sqlite3_value_int(arguments[2]);
        switch (AttributeReader.Read(sqlite3_value_blob(arguments[0]), names, type))
        {
            case "":
                // An empty array would be NULL.
                sqlite3_result_zeroblob(context, 0);
                break;
            case string text:
                sqlite3_result_blob(context, Encoding.UTF8.GetBytes(text));
                break;
            case double number:
                sqlite3_result_double(context, number);
                break;
            default:
                sqlite3_result_null(context);
                break;
        }
    }

    private SqliteCommand With(string sql, ReadOnlySpan<object> values)
    {
        var command = Prepare(sql, values.Length);
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i];
        }

        return command;
    }

    private void MakeRoom()
    {
        if (_prepared.Count + _statements.Count >= MaxPrepared)
        {
            DropPrepared();
        }
    }

    private void DropPrepared()
    {
        foreach (var command in _prepared.Values)
        {
            command.Dispose();
        }

        foreach (var statement in _statements.Values)
        {
            statement.Dispose();
        }

        _prepared.Clear();
        _statements.Clear();
    }
}

/// <summary>Maps SQLite's errors to faults.</summary>
internal static class SqliteFaults
{
    /// <summary>
    /// Returns true if the environment caused the error (a full or failing disk, a damaged file), so that other
    /// requests would fail too.
    /// </summary>
    public static bool IsEnvironment(Exception exception) =>
        exception is SqliteException
        {
            SqliteErrorCode: SQLITE_BUSY or SQLITE_LOCKED or SQLITE_NOMEM or SQLITE_READONLY or SQLITE_IOERR
                or SQLITE_CORRUPT or SQLITE_FULL or SQLITE_CANTOPEN or SQLITE_PROTOCOL or SQLITE_NOTADB,
        };

    /// <summary>
    /// Returns true if the disk has no space for a file: the database, its log, or the index of the log.
    /// </summary>
    public static bool IsDiskFull(Exception exception) =>
        exception is SqliteException { SqliteErrorCode: SQLITE_FULL }
            or SqliteException { SqliteExtendedErrorCode: SQLITE_IOERR_SHMSIZE };

    /// <summary>Returns true if a file is damaged.</summary>
    public static bool IsCorrupt(Exception exception) =>
        exception is SqliteException { SqliteErrorCode: SQLITE_CORRUPT or SQLITE_NOTADB };

    /// <summary>
    /// UNAVAILABLE if the environment caused the error, NOT_FOUND if the collection was dropped during the call;
    /// otherwise the error itself, which is a bug.
    /// </summary>
    public static Exception ToFault(Exception exception)
    {
        if (IsEnvironment(exception))
        {
            return new Fault(
                FaultKind.Unavailable,
                Reasons.StoreUnavailable,
                $"The store cannot use its file: {exception.Message}",
                inner: exception);
        }

        return IsMissingTable(exception)
            ? new Fault(
                FaultKind.NotFound,
                Reasons.CollectionNotFound,
                "The collection was dropped during the call.",
                "collection",
                inner: exception)
            : exception;
    }

    // SQLite has no error code for it. A statement prepared before the table was dropped is prepared again and fails
    // with the same message.
    private static bool IsMissingTable(Exception exception) =>
        exception is SqliteException { SqliteErrorCode: SQLITE_ERROR }
        && exception.Message.Contains("no such table", StringComparison.Ordinal);
}
