using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>One connection with its prepared statements. Not thread-safe: one user at a time.</summary>
internal sealed class SqliteSession : IDisposable
{
    /// <summary>The SQL function that asks <see cref="Matcher"/>.</summary>
    public const string MatchFunction = "attributes_match";

    // Shapes of statements are few; this only bounds what thousands of collections would hold.
    private const int MaxPrepared = 512;

    private readonly Dictionary<string, SqliteCommand> _prepared = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PreparedStatement> _statements = new(StringComparer.Ordinal);

    public SqliteSession(SqliteConnection connection)
    {
        Connection = connection;
        connection.CreateFunction(MatchFunction, (byte[]? json) => Matcher.Matches(json));
    }

    public SqliteConnection Connection { get; }

    /// <summary>What the running statement's <see cref="MatchFunction"/> asks of a point's attributes.</summary>
    public AttributeMatcher Matcher { get; set; } = AttributeMatcher.None;

    /// <summary>The prepared command of this text, its parameters to be set by position.</summary>
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

    /// <summary>The prepared statement of this text, its parameters to be bound.</summary>
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

    /// <summary>The first column of the first row; null where there is none.</summary>
    public object? Scalar(string sql, params ReadOnlySpan<object> values) => With(sql, values).ExecuteScalar();

    public SqliteDataReader Read(string sql, params ReadOnlySpan<object> values) => With(sql, values).ExecuteReader();

    /// <summary>Rolls back where a transaction is open; some failures have done so already.</summary>
    public void EndTransaction()
    {
        if (SQLitePCL.raw.sqlite3_get_autocommit(Connection.Handle) == 0)
        {
            Execute("ROLLBACK");
        }
    }

    public void Dispose()
    {
        DropPrepared();
        Connection.Dispose();
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
