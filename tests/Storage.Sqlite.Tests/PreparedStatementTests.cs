using System.Text;
using Embeddings.Testing;
using Microsoft.Data.Sqlite;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class PreparedStatementTests : IDisposable
{
    private const string Insert = "INSERT INTO t(id, text, blob, number, real) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO NOTHING";
    private readonly TempFolder _directory = new();
    private readonly SqliteSession _session;

    public PreparedStatementTests()
    {
        _session = SqliteSchema.Open(_directory.Path, readOnly: false);
        SqliteSchema.Run(_session.Connection, "CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, blob BLOB, number INTEGER, real REAL)");
    }

    public void Dispose()
    {
        _session.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("")]
    [InlineData("größer 写真 \U0001F600")]
    [InlineData("before\0after")]
    public void Bound_values_are_stored_unchanged(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Assert.Equal(1, Run(1, bytes, bytes, long.MinValue, 0.1f));
        Assert.Equal("text blob integer real", Scalar("SELECT typeof(text) || ' ' || typeof(blob) || ' ' || typeof(number) || ' ' || typeof(real) FROM t"));
        Assert.Equal(bytes, Scalar("SELECT CAST(text AS BLOB) FROM t"));
        Assert.Equal(bytes, Scalar("SELECT blob FROM t"));
        Assert.Equal(long.MinValue, Scalar("SELECT number FROM t"));
        Assert.Equal((double)0.1f, Scalar("SELECT real FROM t"));
    }

    [Fact]
    public void Null_is_stored_as_null_and_not_as_the_previous_value()
    {
        Run(1, "a"u8.ToArray(), [1], 1, 1);
        Run(2, "b"u8.ToArray(), null, null, null);
        Assert.Equal(1L, Scalar("SELECT count(*) FROM t WHERE blob IS NULL AND number IS NULL AND real IS NULL"));
    }

    [Fact]
    public void Execution_returns_the_rows_changed_and_the_value_selected()
    {
        Assert.Equal(1, Run(1, "a"u8.ToArray()));
        Assert.Equal(0, Run(1, "b"u8.ToArray()));
        var replace = _session.Statement("UPDATE t SET number = ?2 WHERE text = ?1 RETURNING id");
        replace.BindText(1, "a"u8.ToArray());
        replace.Bind(2, 7);
        Assert.Equal(1, replace.Scalar());
        Assert.Equal(7L, Scalar("SELECT number FROM t"));
        replace.BindText(1, "missing"u8.ToArray());
        Assert.Null(replace.Scalar());
    }

    [Fact]
    public void Errors_equal_those_of_a_command_and_the_transaction_continues()
    {
        _session.Execute("BEGIN IMMEDIATE");
        Run(1, "a"u8.ToArray());
        AssertFails(SQLITE_CONSTRAINT_UNIQUE, "INSERT INTO t(id, text) VALUES (2, 'a')", () => Run(2, "a"u8.ToArray()));
        AssertFails(SQLITE_CONSTRAINT_NOTNULL, "INSERT INTO t(id, text) VALUES (2, NULL)", () => Run(2, null));
        Assert.Equal(1, Run(2, "b"u8.ToArray()));
        _session.Execute("COMMIT");
        Assert.Equal(2L, Scalar("SELECT count(*) FROM t"));
    }

    [Fact]
    public void Invalid_SQL_and_a_dropped_table_are_errors()
    {
        AssertFails(SQLITE_ERROR, "SELEC 1", () => _session.Statement("SELEC 1"));
        Run(1, "a"u8.ToArray());
        _session.Execute("DROP TABLE t");
        AssertFails(SQLITE_ERROR, "INSERT INTO t(id) VALUES (1)", () => Run(2, "b"u8.ToArray()));
    }

    [Fact]
    public void A_session_caches_a_limited_number_of_statements_and_closes_them()
    {
        Run(1, "a"u8.ToArray());
        var first = _session.Statement(Insert);
        Assert.Same(first, _session.Statement(Insert));
        for (var i = 0; i < 1000; i++)
        {
            Assert.Equal(i, _session.Statement($"SELECT {i}").Scalar());
        }

        Assert.NotSame(first, _session.Statement(Insert));
        Assert.Equal(1, Run(2, "b"u8.ToArray()));

        // SQLite removes its log with the last connection, which an open statement would keep open.
        var log = SqliteSchema.PathIn(_directory.Path) + "-wal";
        Assert.True(File.Exists(log));
        _session.Dispose();
        Assert.False(File.Exists(log));
    }

    private void AssertFails(int extendedCode, string command, Action statement)
    {
        var expected = Assert.Throws<SqliteException>(() => SqliteSchema.Run(_session.Connection, command));
        Assert.Equal(extendedCode, expected.SqliteExtendedErrorCode);
        var actual = Assert.Throws<SqliteException>(statement);
        Assert.Equal(
            (expected.SqliteErrorCode, expected.SqliteExtendedErrorCode, expected.Message),
            (actual.SqliteErrorCode, actual.SqliteExtendedErrorCode, actual.Message));
    }

    private object? Scalar(string sql) => _session.Scalar(sql);

    private int Run(long id, byte[]? text, byte[]? blob = null, long? number = null, float? real = null)
    {
        var statement = _session.Statement(Insert);
        statement.Bind(1, id);
        statement.BindText(2, text);
        statement.BindBlob(3, blob);
        statement.Bind(4, number);
        statement.Bind(5, real);
        return statement.Execute();
    }
}
