using Microsoft.Data.Sqlite;
using SQLitePCL;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A statement as SQLite has it, for those that run once a point: a <see cref="SqliteCommand"/> boxes its values and makes a reader every time, and binds no
/// bytes as text. Between runs it is reset, since one that is not keeps its transaction from ending.
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

    /// <summary>Binds the parameter of this number, counted from 1; it stays bound until it is bound again.</summary>
    public void Bind(int parameter, long? value) =>
        Check(value is { } number ? sqlite3_bind_int64(_statement, parameter, number) : sqlite3_bind_null(_statement, parameter));

    /// <inheritdoc cref="Bind(int, long?)"/>
    public void Bind(int parameter, double? value) =>
        Check(value is { } number ? sqlite3_bind_double(_statement, parameter, number) : sqlite3_bind_null(_statement, parameter));

    /// <summary>Binds bytes, which SQLite copies.</summary>
    public void BindBlob(int parameter, byte[]? bytes) =>
        Check(bytes is null ? sqlite3_bind_null(_statement, parameter) : sqlite3_bind_blob(_statement, parameter, bytes));

    /// <summary>Binds a text whole, U+0000 too.</summary>
    public void BindText(int parameter, byte[]? utf8) =>
        Check(utf8 is null ? sqlite3_bind_null(_statement, parameter) : sqlite3_bind_text(_statement, parameter, utf8));

    /// <summary>Runs it and tells how many rows it changed.</summary>
    public int Execute()
    {
        Scalar();
        return sqlite3_changes(_connection);
    }

    /// <summary>Runs it and gives the number in the first column of the first row; null where there is no row.</summary>
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

    public void Dispose() => _statement.Dispose();

    private void Check(int code) => SqliteException.ThrowExceptionForRC(code, _connection);
}
