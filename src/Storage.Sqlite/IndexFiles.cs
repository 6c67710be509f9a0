using System.Collections;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Keeps the indexes of large collections in files next to the database, so that a start reads a quarter of the bytes and decodes no
/// points.
/// </summary>
/// <remarks>
/// <para>
/// A block of a file has rows as they were at some time. The database has a log of the rows that were replaced or deleted
/// (<see cref="IndexFileSchema"/>), so a row in an intact block is used if it exists, is not in the log, and the file is of the same
/// generation as the database. All other rows are read from the database. So no state of the file, after a crash at any moment, leads
/// to a wrong index.
/// </para>
/// <para>
/// A file is brought up to date in these steps: 1. the header admits the next generation, 2. the database gets it and a new epoch of
/// the log, flushed, 3. the header admits only that one, 4. the blocks that have changed are written and flushed, 5. the header admits
/// one more generation, 6. the database gets it and forgets the log of earlier epochs. A database that is restored from a backup has
/// another generation.
/// </para>
/// </remarks>
internal sealed class IndexFiles : IAsyncDisposable
{
    // Rows that are read again at a start after a crash, for which a file is brought up to date.
    private const int ManyRows = 50_000;
    private const int BufferBytes = 2 << 20;
    private const int TicksAfterFailure = 30;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(20);

    private readonly ConcurrentDictionary<CollectionIndex, Entry> _files = new();
    private readonly ConcurrentDictionary<CollectionIndex, int> _retryAt = new();
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly EmbeddedStoreOptions _options;
    private readonly ILogger _logger;
    private Catalog? _catalog;
    private GroupWriter? _writer;
    private ITimer? _timer;
    private Task _running = Task.CompletedTask;
    private int _ticks;

    public IndexFiles(EmbeddedStoreOptions options, ILogger logger)
    {
        _options = options;
        _logger = logger;
    }

    /// <summary>Fills an index from its file, and from the database what the file lacks. Returns false if it has no file.</summary>
    /// <param name="session">A session for writing.</param>
    /// <param name="index">An empty index.</param>
    /// <param name="read">Reads a row from the database into the index.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public bool TryLoad(SqliteSession session, CollectionIndex index, Action<long> read, CancellationToken cancellationToken)
    {
        if (!File.Exists(IndexFile.PathIn(_options.Directory, index.Key)))
        {
            Forget(session, index);
            return false;
        }

        IndexFile? file = null;
        try
        {
            file = IndexFile.Open(_options.Directory, index);
            if (IndexFileSchema.Find(session, index) is not { } known
                || file.ReadHeader() is not { } header
                || (header.Previous != known.Generation && header.Current != known.Generation)
                || file.Blocks > int.MaxValue / CodeSegments.BlockRows)
            {
                _logger.IndexFileDiscarded(index.Name, file.Path);
                file.Dispose();
                File.Delete(file.Path);
                Forget(session, index);
                return false;
            }

            Fill(file, index, cancellationToken);
            var changes = IndexFileSchema.Changes(session, index);
            index.Adopt((int)file.Blocks * CodeSegments.BlockRows, row => !changes.Contains(row));
            index.HasRemovals = changes.Count > 0;
            var rows = Complete(session, index, read, cancellationToken);
            _logger.IndexFileLoaded(index.Name, index.Count, rows);
            _files[index] = new Entry(file, index.Count - rows) { Generation = known.Generation };
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.IndexFileFailed(index.Name, exception);
            file?.Dispose();
            index.UnloadAll();
            return false;
        }
    }

    /// <summary>Called before each step of bringing a file up to date, so that tests can crash there.</summary>
    public Action<string>? Step { get; set; }

    /// <summary>The collections whose index was read from a file, and not from the database.</summary>
    public IReadOnlyCollection<CollectionIndex> Loaded => [.. _files.Keys];

    /// <summary>Deletes files of collections that do not exist.</summary>
    public void DeleteOthers(SqliteSession session, Catalog catalog)
    {
        var known = catalog.All.Select(index => IndexFile.PathIn(_options.Directory, index.Key)).ToHashSet(StringComparer.Ordinal);
        foreach (var path in IndexFile.In(_options.Directory).Where(path => !known.Contains(path)))
        {
            Delete(path);
        }

        Try(() => IndexFileSchema.RemoveOthers(session));
        _catalog = catalog;
    }

    /// <summary>Begins to keep the files up to date.</summary>
    public void Start(GroupWriter writer, TimeProvider time)
    {
        _writer = writer;
        _timer = time.CreateTimer(static files => ((IndexFiles)files!).Tick(), this, Every, Every);
    }

    /// <summary>
    /// Removes from the files what was deleted or replaced before the call; brings all files up to date if
    /// <paramref name="all"/> is true, otherwise those that have such rows or lack many.
    /// </summary>
    public async Task SyncAsync(bool all, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            await SyncAllAsync(all, step => _writer!.WriteAsync(new IndexFileRequest(step), cancellationToken), cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the work in the background; <see cref="Finish"/> does the rest.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_timer is not null)
        {
            await _timer.DisposeAsync();
        }

        await _running;
    }

    /// <summary>Brings all files up to date after the writer has ended, and closes them.</summary>
    /// <param name="session">The writer's session.</param>
    /// <param name="flush">Flushes the log.</param>
    public void Finish(SqliteSession session, Action flush)
    {
        try
        {
            // The steps complete at once.
            SyncAllAsync(
                all: true,
                step =>
                {
                    session.Execute("BEGIN IMMEDIATE");
                    try
                    {
                        step(session);
                        session.Execute("COMMIT");
                    }
                    finally
                    {
                        session.EndTransaction();
                    }

                    flush();
                    return Task.CompletedTask;
                },
                CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (Exception exception) when (exception is SqliteException or IOException)
        {
            _logger.IndexFileFailed("", exception);
        }

        foreach (var entry in _files.Values)
        {
            entry.File.Dispose();
        }

        _stopping.Dispose();
    }

    private void Tick()
    {
        _ticks++;
        if (_running.IsCompleted && !_stopping.IsCancellationRequested)
        {
            _running = Task.Run(async () =>
            {
                try
                {
                    await SyncAsync(all: false, _stopping.Token);
                }
                catch (Exception exception) when (exception is OperationCanceledException or Fault)
                {
                    // The store stops, or its disk does not work, which the writer reports.
                }
            });
        }
    }

    private async Task SyncAllAsync(
        bool all, Func<Action<SqliteSession>, Task> run, CancellationToken cancellationToken)
    {
        foreach (var (index, entry) in _files.Where(static pair => pair.Key.IsClosed))
        {
            entry.File.Dispose();
            if (_catalog?.Find(index.Name) != index && Delete(entry.File.Path))
            {
                _files.TryRemove(index, out _);
                await run(session => IndexFileSchema.Remove(session, index.Key));
            }
        }

        foreach (var index in _catalog?.All ?? [])
        {
            var entry = _files.GetValueOrDefault(index);
            if (entry is null ? !MayCreate(index) : !all && !NeedsSync(index, entry))
            {
                continue;
            }

            try
            {
                await SyncAsync(index, entry, run, cancellationToken);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or SqliteException or Fault)
            {
                _logger.IndexFileFailed(index.Name, exception);
                // The file agrees with the database as before, but it may have rows that must not remain.
                await DiscardAsync(index, run);
                _retryAt[index] = _ticks + TicksAfterFailure;
            }
        }
    }

    // Not on a full disk, which new points need.
    private bool MayCreate(CollectionIndex index) =>
        index.Count >= _options.IndexFilePoints
        && _writer?.LastError is null
        && _ticks >= _retryAt.GetValueOrDefault(index);

    private static bool NeedsSync(CollectionIndex index, Entry entry) =>
        index.HasRemovals || Math.Abs(index.Count - entry.Synced) >= ManyRows;

    private async Task SyncAsync(
        CollectionIndex index, Entry? entry, Func<Action<SqliteSession>, Task> run, CancellationToken cancellationToken)
    {
        var (first, second) = (NewGeneration(), NewGeneration());
        // What is removed from now on may be in the blocks that are written, but then it only sets it again.
        index.HasRemovals = false;
        if (entry is null)
        {
            entry = new Entry(IndexFile.Open(_options.Directory, index), 0);
            entry.File.Clear();
            Step?.Invoke("create");
            entry.File.WriteHeader(first, first);
            Step?.Invoke("record");
            await run(session => IndexFileSchema.Create(session, index, first));
            index.MarkAllChanged();
            _files[index] = entry;
        }
        else
        {
            Step?.Invoke("admit");
            entry.File.WriteHeader(entry.Generation, first);
            Step?.Invoke("begin");
            await run(session => IndexFileSchema.Begin(session, index, first));
            Step?.Invoke("admit only");
            entry.File.WriteHeader(first, first);
        }

        entry.Generation = first;
        var count = Write(entry.File, index, cancellationToken);
        Step?.Invoke("flush");
        entry.File.Flush();
        Step?.Invoke("admit next");
        entry.File.WriteHeader(first, second);
        Step?.Invoke("end");
        await run(session => IndexFileSchema.End(session, index, second));
        Step?.Invoke("done");
        entry.Generation = second;
        entry.Synced = count;
    }

    /// <summary>Writes the blocks that have changed, and returns the number of rows.</summary>
    private int Write(IndexFile file, CollectionIndex index, CancellationToken cancellationToken)
    {
        var most = Math.Max(1, BufferBytes / file.BlockBytes);
        var buffer = new byte[most * file.BlockBytes];
        for (var next = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (first, blocks) = index.TakeChanged(ref next, most, (block, at) => index.Vectors.CopyBlock(block, file.Content(buffer, at)));
            if (blocks == 0)
            {
                break;
            }

            Step?.Invoke("write");
            file.Write(first, buffer.AsSpan(0, blocks * file.BlockBytes));
        }

        // Blocks beyond it have nothing but rows that were removed.
        var count = index.Count;
        file.Truncate((count + CodeSegments.BlockRows - 1) / CodeSegments.BlockRows);
        return count;
    }

    private async Task DiscardAsync(CollectionIndex index, Func<Action<SqliteSession>, Task> run)
    {
        if (_files.TryRemove(index, out var entry))
        {
            entry.File.Dispose();
            Delete(entry.File.Path);
        }

        try
        {
            await run(session => IndexFileSchema.Remove(session, index.Key));
        }
        catch (Exception exception) when (exception is SqliteException or Fault)
        {
            // The next start forgets it.
        }
    }

    private static void Forget(SqliteSession session, CollectionIndex index) =>
        Try(() => IndexFileSchema.Remove(session, index.Key));

    // A start must also be possible on a full disk.
    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (SqliteException)
        {
            // The next start tries again.
        }
    }

    private bool Delete(string path)
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.IndexFileFailed(path, exception);
            return false;
        }
    }

    private static void Fill(IndexFile file, CollectionIndex index, CancellationToken cancellationToken)
    {
        var blocks = (int)file.Blocks;
        var most = Math.Max(1, BufferBytes / file.BlockBytes);
        var buffer = new byte[most * file.BlockBytes];
        for (var first = 0; first < blocks; first += most)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = file.Read(first, buffer.AsSpan(0, Math.Min(most, blocks - first) * file.BlockBytes));
            index.Vectors.Reserve(Math.Min(first + most, blocks) * CodeSegments.BlockRows);
            for (var at = 0; at < read; at++)
            {
                if (file.IsIntact(first + at, buffer, at))
                {
                    index.Vectors.SetBlock(first + at, file.Content(buffer, at));
                }
            }
        }
    }

    /// <summary>Compares the rows with those of the database. Returns the number of rows that were read.</summary>
    private static int Complete(SqliteSession session, CollectionIndex index, Action<long> read, CancellationToken cancellationToken)
    {
        var table = index.Statements.Table;
        var exists = new BitArray(index.Count);
        var missing = new List<long>();
        // An index of the database has all row numbers, and is a small part of it.
        using (var rows = new PreparedStatement(
            session.Connection.Handle!, $"SELECT row FROM {table} INDEXED BY {table}_job WHERE job_id >= ''"))
        {
            while (rows.Step())
            {
                var row = rows.Integer(0);
                if (index.Slot(row) is >= 0 and var slot)
                {
                    exists[slot] = true;
                }
                else
                {
                    missing.Add(row);
                }
            }
        }

        var gone = new List<long>();
        for (var slot = 0; slot < exists.Count; slot++)
        {
            if (!exists[slot])
            {
                gone.Add(index.Row(slot));
            }
        }

        gone.ForEach(index.Unload);
        missing.Sort();
        foreach (var row in missing)
        {
            cancellationToken.ThrowIfCancellationRequested();
            read(row);
        }

        return missing.Count;
    }

    private static long NewGeneration() => BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));

    private sealed class Entry(IndexFile file, int synced)
    {
        public IndexFile File { get; } = file;

        /// <summary>The number of rows when it was last written.</summary>
        public int Synced { get; set; } = synced;

        /// <summary>The generation of the database.</summary>
        public long Generation { get; set; }
    }
}

/// <summary>A step of bringing the file of an index up to date. When it completes, all earlier writes are in the index.</summary>
internal sealed class IndexFileRequest(Action<SqliteSession> step) : WriteRequest(0, CancellationToken.None)
{
    // Also possible on a full disk: it can be what removes deleted rows from a file.
    public override bool Removes => true;

    protected override long Execute(WriteContext context)
    {
        step(context.Session);
        return 0;
    }
}
