using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Copies committed pages from the log into the file beside the writer, which SQLite would have do it within a commit: nearly half of what a written point
/// costs, while callers wait. The log begins anew only when nothing is left in it, and a writer that never pauses always leaves something: so rounds are made
/// until little is left, and the writer copies that.
/// </summary>
/// <param name="open">Opens a connection for the copying.</param>
/// <param name="flush">Flushes the file; SQLite does so only when it has copied everything, and the writer would wait for all of it then.</param>
/// <param name="logger">Where failures go.</param>
internal sealed class Checkpointer(Func<SqliteSession> open, Action flush, ILogger logger)
{
    /// <summary>Pages in the log at which the writer copies all that is left, 128 MiB of them: for logs that readers kept from beginning anew.</summary>
    public const int WriterPages = 16_000;

    private const long EveryBytes = 32L << 20;
    private const long LittleBytes = 2L << 20;
    private const int MostRounds = 4;

    private SqliteSession? _session;
    private Task _running = Task.CompletedTask;
    private long _written;
    private long _begun;
    private volatile bool _isLittleLeft;

    /// <summary>Takes note of a commit. The writer's alone, with its own session.</summary>
    /// <param name="writer">Its session, with no transaction open.</param>
    /// <param name="bytes">About how much it wrote.</param>
    public void Committed(SqliteSession writer, long bytes)
    {
        var written = Interlocked.Add(ref _written, bytes);
        if (_isLittleLeft)
        {
            _isLittleLeft = false;
            TryCopy(() => writer, "PASSIVE");
        }
        else if (written - _begun >= EveryBytes && _running.IsCompleted)
        {
            _begun = written;
            _running = Task.Run(CopyBeside);
        }
    }

    /// <summary>Waits for what runs, and copies what is left, after the writer's end: the file alone is the store then.</summary>
    public async Task FinishAsync(SqliteSession writer)
    {
        await _running;
        _session?.Dispose();
        TryCopy(() => writer, "TRUNCATE");
    }

    private void CopyBeside()
    {
        for (var round = 0; round < MostRounds; round++)
        {
            var written = Interlocked.Read(ref _written);
            // Passive: neither waits for anyone nor keeps anyone waiting.
            if (!TryCopy(() => _session ??= open(), "PASSIVE", flush))
            {
                return;
            }

            if (Interlocked.Read(ref _written) - written <= LittleBytes)
            {
                _isLittleLeft = true;
                return;
            }
        }
    }

    private bool TryCopy(Func<SqliteSession> session, string mode, Action? andThen = null)
    {
        try
        {
            session().Execute($"PRAGMA wal_checkpoint({mode})");
            andThen?.Invoke();
            return true;
        }
        catch (Exception exception) when (exception is SqliteException or IOException)
        {
            logger.CheckpointFailed(exception);
            return false;
        }
    }
}
