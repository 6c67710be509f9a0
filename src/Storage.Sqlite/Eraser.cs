using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Whether the files may hold what was deleted or replaced. Changed by the writer only.</summary>
internal sealed class ErasePending(bool isRecorded)
{
    private volatile bool _isRecorded = isRecorded;

    /// <summary>True if there may be something, which the file also says.</summary>
    public bool IsRecorded => _isRecorded;

    /// <summary>Called after the first commit that erases something.</summary>
    public Action Began { get; set; } = static () => { };

    /// <summary>Records the commit of a transaction that deletes or replaces content.</summary>
    public void Committed()
    {
        if (!_isRecorded)
        {
            _isRecorded = true;
            Began();
        }
    }

    /// <summary>Records that nothing is left.</summary>
    public void Erased(SqliteSession writer)
    {
        SqliteSchema.SetFact(writer, Facts.Erasing, 0);
        _isRecorded = false;
    }
}

/// <summary>
/// Removes what was deleted or replaced from all files within a bounded time. SQLite overwrites it in new versions of the
/// pages (<c>secure_delete</c>), but old versions are in the log and in the file. Therefore, 1. the rows of dropped collections
/// are deleted in small transactions, and the files of the indexes are brought up to date, 2. the log is copied to the file and
/// emptied, 3. the unused bytes of all pages that were written since the last time are scrubbed, and 4. the writer forgets its cached
/// pages, which may have those bytes. Steps 2 to 4 run on the writer's thread if there are few pages; many are first scrubbed in the background.
/// </summary>
internal sealed class Eraser : IAsyncDisposable
{
    // Scrubbing them takes some ten milliseconds.
    private const int PagesOfWriter = 4096;
    private const int MostRounds = 5;

    // A reader needs the log, or something failed.
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetryAfterFailure = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(5);

    private readonly SqliteSession _session;
    private readonly GroupWriter _writer;
    private readonly Checkpointer _checkpointer;
    private readonly PageLog _log;
    private readonly PageScrubber _scrubber;
    private readonly ErasePending _pending;
    private readonly IndexFiles _indexFiles;
    private readonly TimeSpan _within;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ITimer _timer;
    private readonly Lock _lock = new();
    private Task _running = Task.CompletedTask;
    private bool _isRequested;

    /// <param name="session">The writer's session, which only its thread uses until the writer has ended.</param>
    /// <param name="writer">The writer.</param>
    /// <param name="checkpointer">The checkpointer.</param>
    /// <param name="log">The pages that were written.</param>
    /// <param name="scrubber">The scrubber.</param>
    /// <param name="pending">Whether there is something to erase.</param>
    /// <param name="within">The time within which it is erased.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The logger.</param>
    /// <param name="indexFiles">The files of the indexes.</param>
    public Eraser(
        SqliteSession session,
        GroupWriter writer,
        Checkpointer checkpointer,
        PageLog log,
        PageScrubber scrubber,
        ErasePending pending,
        TimeSpan within,
        TimeProvider time,
        ILogger logger,
        IndexFiles indexFiles)
    {
        _session = session;
        _indexFiles = indexFiles;
        _within = within;
        _writer = writer;
        _checkpointer = checkpointer;
        _log = log;
        _scrubber = scrubber;
        _pending = pending;
        _time = time;
        _logger = logger;
        _timer = time.CreateTimer(
            static eraser => ((Eraser)eraser!).Start(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        // Half of the time is for the work itself, and for readers that need the log.
        pending.Began = () => _timer.Change(_within / 2, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Starts to erase now, in the background.</summary>
    public void Start()
    {
        lock (_lock)
        {
            _isRequested = true;
            if (_running.IsCompleted && !_stopping.IsCancellationRequested)
            {
                _running = Task.Run(RunAsync);
            }
        }
    }

    /// <summary>Ends the work in the background; <see cref="Finish"/> does the rest.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _stopping.Cancel();
        }

        await _timer.DisposeAsync();
        await _running;
        _stopping.Dispose();
    }

    /// <summary>Erases what is left after the writer and all readers have ended.</summary>
    public void Finish()
    {
        if (!_pending.IsRecorded)
        {
            return;
        }

        try
        {
            var began = _time.GetTimestamp();
            while (DroppedTables.Exist(_session))
            {
                if (_time.GetElapsedTime(began) > StopLimit)
                {
                    // The next start continues.
                    return;
                }

                _session.Execute("BEGIN IMMEDIATE");
                DroppedTables.EraseSome(_session);
                _session.Execute("COMMIT");
            }

            if (!IndexFileSchema.HasChanges(_session) && _checkpointer.TryEmpty(_session))
            {
                _scrubber.Scrub(_log.Take(), CancellationToken.None);
                _pending.Erased(_session);
            }
        }
        catch (Exception exception) when (exception is SqliteException or IOException)
        {
            _logger.EraseFailed(exception);
        }
    }

    private async Task RunAsync()
    {
        while (TakeRequest())
        {
            await EraseAsync();
        }
    }

    private bool TakeRequest()
    {
        lock (_lock)
        {
            var isRequested = _isRequested && !_stopping.IsCancellationRequested;
            _isRequested = false;
            return isRequested;
        }
    }

    private async Task EraseAsync()
    {
        for (var round = 0; !_stopping.IsCancellationRequested;)
        {
            var delay = RetryAfter;
            try
            {
                while (await _writer.WriteAsync(new EraseDroppedRequest(), _stopping.Token) > 0)
                {
                }

                PageSet? many = null;
                await _indexFiles.SyncAsync(all: false, _stopping.Token);
                var mayDefer = round < MostRounds;
                var step = new MaintenanceRequest(() => TryFinish(mayDefer, out many));
                await _writer.WriteAsync(step, _stopping.Token);
                if (step.Done)
                {
                    return;
                }

                if (many is not null)
                {
                    round++;
                    _scrubber.Scrub(many, _stopping.Token);
                    continue;
                }
            }
            catch (Exception exception) when (_stopping.IsCancellationRequested || IsStopped(exception))
            {
                _log.AddAll();
                return;
            }
            catch (Exception exception)
            {
                _log.AddAll();
                _logger.EraseFailed(exception);
                delay = RetryAfterFailure;
            }

            await Task.WhenAny(Task.Delay(delay, _time, _stopping.Token));
        }
    }

    private static bool IsStopped(Exception exception) => exception is Fault { Reason: Reasons.ShuttingDown };

    /// <summary>
    /// Runs on the writer's thread. Returns false if a reader needs the log, if something failed, and if there are many pages,
    /// which the caller scrubs.
    /// </summary>
    private bool TryFinish(bool mayDefer, out PageSet? many)
    {
        many = null;
        try
        {
            if (!_checkpointer.TryEmpty(_session))
            {
                return false;
            }

            var pages = _log.Take();
            var isDone = !mayDefer || pages.Count(_scrubber.Pages) <= PagesOfWriter;
            if (isDone)
            {
                _scrubber.Scrub(pages, CancellationToken.None);
            }
            else
            {
                many = pages;
            }

            // Drops all cached pages: between two transactions, none is in use.
            SqliteSchema.Run(_session.Connection, "PRAGMA shrink_memory");
            if (isDone && IndexFileSchema.HasChanges(_session))
            {
                // Points that were deleted since the files of the indexes were written.
                _timer.Change(_within / 2, Timeout.InfiniteTimeSpan);
            }
            else if (isDone)
            {
                _pending.Erased(_session);
            }

            return isDone;
        }
        catch (Exception exception)
        {
            _log.AddAll();
            _logger.EraseFailed(exception);
            return false;
        }
    }
}
