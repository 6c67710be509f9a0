using Embeddings.Testing;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class CheckpointerTests : IDisposable
{
    private const int RowBytes = 1 << 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_log_restarts_although_the_writer_never_pauses()
    {
        using var writer = Writer();
        using var log = new DurableFile(SqliteSchema.PathIn(_directory.Path) + "-wal");
        var flushes = 0;
        var checkpointer = new Checkpointer(() => SqliteSchema.Open(_directory.Path, readOnly: false), () => flushes++, NullLogger.Instance);
        var first = Salt();
        var rows = 0L;
        var started = TimeProvider.System.GetTimestamp();
        for (; Salt().SequenceEqual(first); rows++)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(started) < Limit, $"The log has not restarted after {rows} MiB.");
            writer.Execute("INSERT INTO t VALUES (zeroblob($1))", RowBytes);
            log.Flush();
            checkpointer.Committed(writer, RowBytes);
        }

        Assert.InRange(flushes, 1, int.MaxValue);
        await checkpointer.FinishAsync(writer);
        Assert.Equal(rows, writer.Scalar("SELECT count(*) FROM t"));
        Assert.Equal(0, new FileInfo(SqliteSchema.PathIn(_directory.Path) + "-wal").Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_failed_copy_is_repeated_later(bool opens)
    {
        using var writer = Writer();
        var checkpointer = new Checkpointer(
            () => opens ? SqliteSchema.Open(_directory.Path, readOnly: false) : throw new SqliteException("cannot be opened", SQLITE_CANTOPEN),
            static () => throw new IOException("no such device"),
            NullLogger.Instance);
        for (var i = 0; i < 70; i++)
        {
            writer.Execute("INSERT INTO t VALUES (zeroblob($1))", RowBytes);
            checkpointer.Committed(writer, RowBytes);
        }

        await checkpointer.FinishAsync(writer);
        Assert.Equal(70L, writer.Scalar("SELECT count(*) FROM t"));
    }

    // SQLite changes the salt whenever the log restarts (file format, section 4.1: bytes 16 to 23 of the log's header).
    private byte[] Salt()
    {
        var path = SqliteSchema.PathIn(_directory.Path) + "-wal";
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var header = new byte[24];
        file.ReadExactly(header);
        return header[16..];
    }

    private SqliteSession Writer()
    {
        var session = SqliteSchema.Open(_directory.Path, readOnly: false);
        SqliteSchema.Run(session.Connection, "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(x BLOB)");
        return session;
    }
}
