using Microsoft.Data.Sqlite;

namespace Embeddings.Server.Storage.Embedded;

/// <summary>
/// Copies committed pages from the log into the file beside the writer, which SQLite would have do it within a commit: nearly half of what a written point
/// costs, while callers wait. The log begins anew only when nothing is left in it, which writes that never pause prevent: so the writer still does
/// what remains, at a larger log (<see cref="WriterPages"/>).
/// </summary>
internal sealed class Checkpointer(Func<SqliteSession> open, ILogger logger)
{
    /// <summary>Pages in the log at which the writer copies what is left, 128 MiB of them.</summary>
    public const int WriterPages = 16_000;

    private const long EveryBytes = 32L << 20;

    private SqliteSession? _session;
    private Task _running = Task.CompletedTask;
    private long _written;

    /// <summary>Takes note of a commit. The writer's alone.</summary>
    /// <param name="bytes">About how much it wrote.</param>
    public void Committed(long bytes)
    {
        _written += bytes;
        if (_written >= EveryBytes && _running.IsCompleted)
        {
            _written = 0;
            // Passive: neither waits for anyone nor keeps anyone waiting.
            _running = Task.Run(() => Copy(() => _session ??= open(), "PASSIVE"));
        }
    }

    /// <summary>Waits for what runs, and copies what is left, after the writer's end: the file alone is the store then.</summary>
    public async Task FinishAsync(SqliteSession writer)
    {
        await _running;
        _session?.Dispose();
        Copy(() => writer, "TRUNCATE");
    }

    private void Copy(Func<SqliteSession> session, string mode)
    {
        try
        {
            session().Execute($"PRAGMA wal_checkpoint({mode})");
        }
        catch (SqliteException exception)
        {
            logger.CheckpointFailed(exception);
        }
    }
}
