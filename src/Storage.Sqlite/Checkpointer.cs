using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Copies committed pages from the write-ahead log into the file in the background. SQLite would do so in the writer's
/// commit, where it is nearly half of the cost of a written point, while callers wait. The log restarts only when it
/// has been copied completely, and a writer that never pauses always adds to it: therefore the copy runs in rounds
/// until little is left, and the writer copies the rest.
/// </summary>
/// <param name="open">Opens a connection for copying.</param>
/// <param name="flush">
/// Flushes the file. SQLite does so only after the last page, when the writer would wait for the whole flush.
/// </param>
/// <param name="logger">The logger for failures.</param>
/// <param name="pages">Learns the pages of the log before it restarts; null if nobody scrubs them.</param>
internal sealed class Checkpointer(Func<SqliteSession> open, Action flush, ILogger logger, PageLog? pages = null)
{
    /// <summary>The size that the log keeps when it restarts, bytes.</summary>
    public const long LogBytes = 128L << 20;

    // Log size at which the writer copies the rest, for logs that readers kept from restarting.
    private const long WriterBytes = LogBytes + (1 << 20);

    // The writer waits for readers of the log; those that begin after everything is copied do not read it.
    private const int ReaderMilliseconds = 250;

    private const long EveryBytes = 32L << 20;
    private const long LittleBytes = 2L << 20;
    private const int MostRounds = 4;

    private SqliteSession? _session;
    private Task _running = Task.CompletedTask;
    private long _written;
    private long _started;
    private bool _hasCopied;
    private volatile bool _isLittleLeft;

    /// <summary>Held by everyone who writes to the database file.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Records a commit. Called by the writer only.</summary>
    /// <param name="writer">The writer's session, without an open transaction.</param>
    /// <param name="bytes">The approximate number of bytes written.</param>
    public void Committed(SqliteSession writer, long bytes)
    {
        var written = Interlocked.Add(ref _written, bytes);
        var isCopying = !_running.IsCompleted;
        if (isCopying || _hasCopied)
        {
            // The copy may include this commit, so that the next one restarts the log.
            pages?.Read();
            _hasCopied = isCopying;
        }

        if (pages?.LogBytes > WriterBytes)
        {
            TryCopy(() => writer, "PASSIVE");
        }
        else if (_isLittleLeft)
        {
            _isLittleLeft = false;
            TryCopy(() => writer, "PASSIVE");
        }
        else if (written - _started >= EveryBytes && _running.IsCompleted)
        {
            _started = written;
            _hasCopied = true;
            _running = Task.Run(CopyInBackground);
        }
    }

    /// <summary>
    /// Copies the rest and gives the space of the log back. Called by the writer only, without an open transaction.
    /// </summary>
    public void Truncate(SqliteSession writer) => TryCopy(() => writer, "TRUNCATE");

    /// <summary>
    /// Copies the rest and empties the log. Returns false if that failed or a reader still needs the log. Called by the writer
    /// only, without an open transaction.
    /// </summary>
    public bool TryEmpty(SqliteSession writer)
    {
        SqliteSchema.Run(writer.Connection, $"PRAGMA busy_timeout = {ReaderMilliseconds}");
        try
        {
            return TryCopy(() => writer, "TRUNCATE");
        }
        finally
        {
            SqliteSchema.Run(writer.Connection, $"PRAGMA busy_timeout = {SqliteSchema.BusyMilliseconds}");
        }
    }

    /// <summary>
    /// Waits for a running copy and copies the rest after the writer has ended, so that the file alone is complete.
    /// </summary>
    public async Task FinishAsync(SqliteSession writer)
    {
        await _running;
        _session?.Dispose();
        Truncate(writer);
    }

    private void CopyInBackground()
    {
        for (var round = 0; round < MostRounds; round++)
        {
            var written = Interlocked.Read(ref _written);
            // PASSIVE neither waits for other connections nor blocks them.
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
            pages?.Read();
            long isBusy;
            lock (Gate)
            {
                isBusy = (long)session().Scalar($"PRAGMA wal_checkpoint({mode})")!;
            }

            andThen?.Invoke();
            return isBusy == 0 || mode == "PASSIVE";
        }
        catch (Exception exception) when (exception is SqliteException or IOException)
        {
            // A full disk is reported once, not with each attempt.
            if (!SqliteFaults.IsDiskFull(exception))
            {
                logger.CheckpointFailed(exception);
            }

            return false;
        }
    }
}
