using Microsoft.Data.Sqlite;
using SQLitePCL;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A native SQLite statement for statements that run once per point: a <see cref="SqliteCommand"/> boxes its values,
/// allocates a reader for each run, and cannot bind bytes as text. It is reset after each run, because an active
/// statement prevents its transaction from ending.
/// </summary>
internal sealed class PreparedStatement : IDisposable
{
    private readonly sqlite3 _connection;
    private readonly sqlite3_stmt _statement;

    public PreparedStatement(sqlite3 connection, string sql)
    {
        _connection = connection;
        Check(sqlite3_prepare_v3(connection, sql, SQLITE_PREPARE_PERSISTENT, out _statement));
    }

    /// <summary>Binds a parameter, numbered from 1; it stays bound until it is bound again.</summary>
    public void Bind(int parameter, long? value) => Check(
        value is { } number
            ? sqlite3_bind_int64(_statement, parameter, number)
            : sqlite3_bind_null(_statement, parameter));

    /// <inheritdoc cref="Bind(int, long?)"/>
    public void Bind(int parameter, double? value) => Check(
        value is { } number
            ? sqlite3_bind_double(_statement, parameter, number)
            : sqlite3_bind_null(_statement, parameter));

    /// <summary>Binds a blob, which SQLite copies.</summary>
    public void BindBlob(int parameter, byte[]? bytes) =>
        Check(bytes is null ? sqlite3_bind_null(_statement, parameter) : sqlite3_bind_blob(_statement, parameter, bytes));

    /// <inheritdoc cref="BindBlob(int, byte[])"/>
    public void BindBlob(int parameter, ReadOnlySpan<byte> bytes) => Check(sqlite3_bind_blob(_statement, parameter, bytes));

    /// <summary>Binds a text, including any U+0000.</summary>
    public void BindText(int parameter, byte[]? utf8) =>
        Check(utf8 is null ? sqlite3_bind_null(_statement, parameter) : sqlite3_bind_text(_statement, parameter, utf8));

    /// <summary>Runs the statement and returns the number of rows changed.</summary>
    public int Execute()
    {
        Scalar();
        return sqlite3_changes(_connection);
    }

    /// <summary>
    /// Runs the statement and returns the integer in the first column of the first row; null if there is no row.
    /// </summary>
    public long? Scalar()
    {
        try
        {
            var code = sqlite3_step(_statement);
            Check(code);
            return code == SQLITE_ROW ? sqlite3_column_int64(_statement, 0) : null;
        }
        finally
        {
            sqlite3_reset(_statement);
        }
    }

    /// <summary>Advances to the next row; false at the end. Call <see cref="Reset"/> before the end of its transaction.</summary>
    public bool Step()
    {
        var code = sqlite3_step(_statement);
        Check(code);
        return code == SQLITE_ROW;
    }

    /// <summary>Ends a run and prepares the next one.</summary>
    public void Reset() => sqlite3_reset(_statement);

    public bool IsNull(int column) => sqlite3_column_type(_statement, column) == SQLITE_NULL;

    public long Integer(int column) => sqlite3_column_int64(_statement, column);

    public double Real(int column) => sqlite3_column_double(_statement, column);

    /// <summary>The bytes of a blob or a text, valid until the next step.</summary>
    public ReadOnlySpan<byte> Bytes(int column) => sqlite3_column_blob(_statement, column);

    public void Dispose() => _statement.Dispose();

    private void Check(int code) => SqliteException.ThrowExceptionForRC(code, _connection);
}
