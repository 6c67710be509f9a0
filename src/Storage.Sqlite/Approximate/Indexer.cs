using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// Builds the approximate indexes of all collections on a thread of its own, behind the writes: loads the graphs that earlier runs have
/// saved, adds and erases rows, measures the recall, and saves the graphs. While points are written, it takes a small part of the
/// processors, and more once they rest.
/// </summary>
internal sealed class Indexer : IDisposable
{
    // The part of all processors while points are written.
    private const double ShareWhileWriting = 0.05;

    // Rows per thread and step; a step takes some ten milliseconds.
    private const int RowsPerStep = 32;

    // Few enough for a stop to wait for.
    private const long MostErasedAtStop = 5000;

    private static readonly TimeSpan WritesRest = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan SaveUnfinishedEvery = TimeSpan.FromMinutes(30);

    private readonly string _directory;
    private readonly int _threads;
    private readonly int _searchThreads;
    private readonly GroupWriter _writer;
    private readonly ExactHits _search;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly List<Entry> _entries = [];
    private readonly CancellationTokenSource _stopping = new();
    private readonly AutoResetEvent _work = new(initialState: false);
    private readonly ITimer _timer;
    private readonly Thread _thread;
    private byte[]? _key;
    private bool _isStarted;
    private long _groups;
    private long _wroteAt;

    /// <param name="options">The options of the store.</param>
    /// <param name="searchThreads">The maximum number of concurrent searches.</param>
    /// <param name="writer">The writer, which keeps the key of the files.</param>
    /// <param name="search">Runs the exact searches that the recall is measured against.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The logger.</param>
    public Indexer(
        EmbeddedStoreOptions options, int searchThreads, GroupWriter writer, ExactHits search, TimeProvider time, ILogger logger)
    {
        _directory = options.Directory;
        _threads = options.IndexThreads > 0 ? options.IndexThreads : Math.Max(1, Environment.ProcessorCount / 2);
        // One more for the measurements.
        _searchThreads = Math.Max(_threads, searchThreads + 1);
        _writer = writer;
        _search = search;
        _time = time;
        _logger = logger;
        // Files with deleted points must not wait for other work.
        var period = TimeSpan.FromSeconds(Math.Max(1, options.EraseSeconds / 4.0));
        _timer = time.CreateTimer(static indexer => ((Indexer)indexer!)._work.Set(), this, period, period);
        _thread = new Thread(Loop) { IsBackground = true, Name = "store indexer", Priority = ThreadPriority.BelowNormal };
    }

    /// <summary>FAILED_PRECONDITION or INVALID_ARGUMENT if a collection cannot have an approximate index.</summary>
    public static void RequireSupported(ApproximateIndexSettings? settings, int dimension)
    {
        if (settings is null)
        {
            return;
        }

        if (UsearchNative.Unavailable is { } reason)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.IndexUnsupported,
                $"{reason} Search exactly, or use a server on x86-64 Linux, x86-64 Windows, or ARM64 macOS.",
                "approximate_index");
        }

        if (dimension > GraphCodes.MaxDimension)
        {
            throw Fault.Invalid(
                Reasons.FieldInvalid,
                "approximate_index",
                $"approximate_index needs vectors with at most {GraphCodes.MaxDimension} dimensions; the collection has {dimension}.");
        }
    }

    /// <summary>
    /// Begins to work, once there is an approximate index. Collections that have one already have been given to <see cref="Set"/>.
    /// </summary>
    public void Start()
    {
        lock (_lock)
        {
            _isStarted = true;
            TryDeleteOthers();
            StartThread();
        }
    }

    /// <summary>Gives a collection an approximate index, changes its settings, or removes it. Any thread.</summary>
    public void Set(CollectionIndex index, ApproximateIndexSettings? settings)
    {
        lock (_lock)
        {
            var entry = _entries.Find(entry => entry.Approximate.Index == index && !entry.Approximate.IsDisposed);
            if (entry?.Approximate.Settings == settings)
            {
                return;
            }

            if (settings is not null && UsearchNative.Unavailable is { } reason)
            {
                _logger.ApproximateIndexUnavailable(index.Name, reason);
                settings = null;
            }

            index.Gate.EnterWriteLock();
            try
            {
                index.Approximate = settings is null ? null : new ApproximateIndex(index, settings, _searchThreads, () => _work.Set());
            }
            finally
            {
                index.Gate.ExitWriteLock();
            }

            entry?.Approximate.Dispose();
            if (index.Approximate is { } approximate)
            {
                _entries.Add(new Entry(approximate));
                StartThread();
            }
        }

        _work.Set();
    }

    /// <summary>Ends the thread. The writer still runs.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _stopping.Cancel();
        }

        if (_thread.IsAlive)
        {
            _thread.Join();
        }
    }

    /// <summary>Saves the graphs after the writer has ended.</summary>
    public void Finish()
    {
        RemoveDropped();
        foreach (var entry in Entries())
        {
            var approximate = entry.Approximate;
            try
            {
                while (approximate.Outdated is > 0 and <= MostErasedAtStop && approximate.Step(RowsPerStep, 1, CancellationToken.None) > 0)
                {
                }
            }
            catch (GraphException exception)
            {
                Fail(entry, exception);
            }

            EraseFile(entry);
            if (entry.IsLoaded && approximate.Changes != entry.Saved)
            {
                Save(entry);
            }
        }
    }

    /// <summary>Frees the graphs. No search runs any more.</summary>
    public void Dispose()
    {
        foreach (var entry in Entries())
        {
            entry.Approximate.Dispose();
            entry.Approximate.Release();
        }

        _timer.Dispose();
        _work.Dispose();
        _stopping.Dispose();
    }

    // Most stores have no approximate index, and no thread for it. Under the lock.
    private void StartThread()
    {
        if (_isStarted && _entries.Count > 0 && _thread.ThreadState.HasFlag(System.Threading.ThreadState.Unstarted)
            && !_stopping.IsCancellationRequested)
        {
            _thread.Start();
        }
    }

    private void Loop()
    {
        _key = Key();
        while (!_stopping.IsCancellationRequested)
        {
            RemoveDropped();
            var changes = 0;
            foreach (var entry in Entries())
            {
                try
                {
                    changes += Work(entry);
                }
                catch (OperationCanceledException)
                {
                    return;
                }
                catch (Exception) when (entry.Approximate.IsDisposed)
                {
                    // Dropped in between.
                }
                catch (Exception exception)
                {
                    Fail(entry, exception);
                }
            }

            if (changes == 0)
            {
                WaitHandle.WaitAny([_work, _stopping.Token.WaitHandle]);
            }
        }
    }

    private int Work(Entry entry)
    {
        var approximate = entry.Approximate;
        if (!entry.IsLoaded)
        {
            Load(entry);
            entry.IsLoaded = true;
        }

        EraseFile(entry);
        var isWriting = IsWriting();
        var threads = isWriting ? 1 : _threads;
        var began = TimeProvider.System.GetTimestamp();
        var changes = approximate.Step(RowsPerStep * threads, threads, _stopping.Token);
        if (changes > 0 && isWriting)
        {
            var share = Math.Min(1, ShareWhileWriting * Environment.ProcessorCount);
            _stopping.Token.WaitHandle.WaitOne(TimeProvider.System.GetElapsedTime(began) * ((1 / share) - 1));
        }

        if (changes == 0 && !isWriting && NeedsMeasurement(entry))
        {
            Measure(entry);
        }

        if (IsSaveDue(entry, isFinished: changes == 0))
        {
            Save(entry);
        }

        return changes;
    }

    private bool IsWriting()
    {
        var groups = _writer.Groups;
        if (groups != _groups)
        {
            _groups = groups;
            _wroteAt = TimeProvider.System.GetTimestamp();
        }

        return _wroteAt != 0 && TimeProvider.System.GetElapsedTime(_wroteAt) < WritesRest;
    }

    private void Load(Entry entry)
    {
        var approximate = entry.Approximate;
        var index = approximate.Index;
        var path = GraphFile.PathIn(_directory, index.Key);
        entry.HasFile = File.Exists(path);
        if (!entry.HasFile)
        {
            return;
        }

        var reason = "the store has no key for it";
        try
        {
            if (_key is not null
                && GraphFile.Read(path, _key, out reason) is var (rows, footer))
            {
                if (footer.Collection == index.Key && footer.Dimension == index.Dimension && footer.Settings == approximate.Settings)
                {
                    Adopt(entry, path, rows, footer);
                    return;
                }

                reason = "it has other settings";
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or GraphException)
        {
            reason = exception.Message;
        }

        _logger.GraphDiscarded(index.Name, reason);
        approximate.IsStale = true;
        EraseFile(entry);
    }

    private void Adopt(Entry entry, string path, long[] rows, GraphFooter footer)
    {
        var (approximate, began) = (entry.Approximate, TimeProvider.System.GetTimestamp());
        var graph = new Graph(approximate.Index.Dimension, approximate.Settings, _searchThreads);
        try
        {
            graph.Load(path, rows.Length);
        }
        catch
        {
            graph.Dispose();
            throw;
        }

        var current = approximate.Adopt(graph, rows);
        approximate.Recall = footer.Recall;
        entry.Measured = footer.Recall is null ? -1 : 0;
        entry.SavedAt = _time.GetTimestamp();
        _logger.GraphLoaded(
            approximate.Index.Name, current, rows.Length - current, TimeProvider.System.GetElapsedTime(began).TotalMilliseconds);
    }

    private static bool NeedsMeasurement(Entry entry)
    {
        var approximate = entry.Approximate;
        if (approximate.Pending > 0 || approximate.State.IndexedCount == 0 || entry.Measured == approximate.Changes)
        {
            return false;
        }

        // After a fifth of the points has changed.
        return approximate.Recall is not { } recall || approximate.Changes - entry.Measured >= Math.Max(1, recall.Points / 5);
    }

    private void Measure(Entry entry)
    {
        var approximate = entry.Approximate;
        entry.Measured = approximate.Changes;
        if (new RecallProbe(approximate, _search).MeasureAsync(_stopping.Token).GetAwaiter().GetResult() is { } recall)
        {
            approximate.Recall = recall;
            entry.Saved = -1;
            _logger.GraphMeasured(approximate.Index.Name, recall.Points, recall.At10, recall.Candidates);
        }
    }

    private bool IsSaveDue(Entry entry, bool isFinished)
    {
        if (entry.Approximate.Changes == entry.Saved)
        {
            return false;
        }

        return entry.SavedAt is { } saved
            ? _time.GetElapsedTime(saved) >= (isFinished ? SaveEvery : SaveUnfinishedEvery)
            : isFinished;
    }

    private void Save(Entry entry)
    {
        var approximate = entry.Approximate;
        var changes = approximate.Changes;
        // Set before the rows are taken: what is deleted from now on may be in the file.
        approximate.IsStale = false;
        entry.SavedAt = _time.GetTimestamp();
        if (_key is null || approximate.Snapshot() is not var (graph, rows))
        {
            return;
        }

        var index = approximate.Index;
        var footer = new GraphFooter(index.Key, index.Dimension, approximate.Settings) { Recall = approximate.Recall };
        try
        {
            GraphFile.Write(GraphFile.PathIn(_directory, index.Key), graph, rows, footer, _key);
            entry.HasFile = true;
            entry.Saved = changes;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or GraphException)
        {
            _logger.GraphNotSaved(index.Name, exception.Message);
        }
    }

    /// <summary>Deletes a file that has vectors of points that were deleted or replaced.</summary>
    private void EraseFile(Entry entry)
    {
        if (!entry.HasFile || !(entry.Approximate.IsStale || entry.Approximate.IsDisposed))
        {
            return;
        }

        try
        {
            File.Delete(GraphFile.PathIn(_directory, entry.Approximate.Index.Key));
            entry.HasFile = false;
            entry.Saved = -1;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.GraphNotErased(entry.Approximate.Index.Name, exception.Message);
        }
    }

    private void Fail(Entry entry, Exception exception)
    {
        _logger.GraphFailed(entry.Approximate.Index.Name, exception);
        entry.Approximate.IsStale = true;
        entry.Approximate.Fail();
        EraseFile(entry);
    }

    private Entry[] Entries()
    {
        lock (_lock)
        {
            return [.. _entries];
        }
    }

    private void RemoveDropped()
    {
        foreach (var entry in Entries())
        {
            if (!entry.Approximate.IsDisposed)
            {
                continue;
            }

            entry.Approximate.Release();
            lock (_lock)
            {
                // Not if the collection has new settings, whose file has the same name.
                entry.HasFile = !_entries.Exists(
                    other => other != entry && other.Approximate.Index.Key == entry.Approximate.Index.Key);
            }

            EraseFile(entry);
            if (!entry.HasFile)
            {
                lock (_lock)
                {
                    _entries.Remove(entry);
                }
            }
        }
    }

    private void TryDeleteOthers()
    {
        try
        {
            GraphFile.DeleteOthers(_directory, Entries().Select(static entry => entry.Approximate.Index.Key).ToHashSet());
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _logger.GraphNotErased("*", exception.Message);
        }
    }

    private byte[]? Key()
    {
        try
        {
            var request = new StoreKeyRequest();
            _writer.WriteAsync(request, CancellationToken.None).GetAwaiter().GetResult();
            return request.Key;
        }
        catch (Exception exception)
        {
            // For example a full disk: graphs are built at each start until it has space.
            _logger.GraphKeyMissing(exception.Message);
            return null;
        }
    }

    /// <summary>The state of an approximate index in the indexer. Used by its thread only.</summary>
    private sealed class Entry(ApproximateIndex approximate)
    {
        public ApproximateIndex Approximate { get; } = approximate;

        public bool IsLoaded { get; set; }

        public bool HasFile { get; set; }

        /// <summary>The number of changes that the file has; -1 without a file.</summary>
        public long Saved { get; set; }

        /// <summary>The time of the last attempt to save; null before the first one.</summary>
        public long? SavedAt { get; set; }

        /// <summary>The number of changes at the last measurement.</summary>
        public long Measured { get; set; } = -1;
    }
}

/// <summary>Returns the key of this store's graph files, which it draws once.</summary>
internal sealed class StoreKeyRequest() : WriteRequest(0, CancellationToken.None)
{
    private static readonly string[] Names = ["graph_key_1", "graph_key_2"];

    /// <summary>The key; valid after the completion.</summary>
    public byte[] Key { get; private set; } = [];

    protected override long Execute(WriteContext context)
    {
        var parts = new long[Names.Length];
        for (var i = 0; i < parts.Length; i++)
        {
            if (SqliteSchema.Fact(context.Session, Names[i]) is { } known)
            {
                parts[i] = known;
            }
            else
            {
                RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(parts.AsSpan(i, 1)));
                SqliteSchema.SetFact(context.Session, Names[i], parts[i]);
            }
        }

        Key = MemoryMarshal.AsBytes(parts.AsSpan()).ToArray();
        return 0;
    }
}
