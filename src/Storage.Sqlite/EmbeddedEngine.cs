using Embeddings.Primitives;
using Embeddings.Storage.Sqlite.Approximate;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>The components of a started store, opened and closed in order.</summary>
internal sealed class EmbeddedEngine : IAsyncDisposable
{
    private readonly DirectoryLock _directory;
    private readonly DiskReserve _reserve;
    private readonly SqliteSession _session;
    private readonly Checkpointer _checkpointer;
    private readonly Eraser _eraser;
    private readonly IndexFiles _indexFiles;
    private readonly IndexVerifier _verifier;
    private readonly DurableFile _file;
    private readonly DurableFile _log;

    private EmbeddedEngine(
        DirectoryLock directory,
        DiskReserve reserve,
        SqliteSession session,
        Catalog catalog,
        IndexFiles indexFiles,
        EmbeddedStoreOptions options,
        TimeProvider time,
        ILogger logger)
    {
        _directory = directory;
        _reserve = reserve;
        _session = session;
        _file = new DurableFile(SqliteSchema.PathIn(options.Directory));
        _log = new DurableFile(SqliteSchema.PathIn(options.Directory) + "-wal");
        _indexFiles = indexFiles;
        Catalog = catalog;
        var pageBytes = (int)(long)session.Scalar("PRAGMA page_size")!;
        var pages = new PageLog(_log, pageBytes);
        _checkpointer = new Checkpointer(
            () => SqliteSchema.Open(options.Directory, readOnly: false), _file.Flush, logger, pages);
        var erasures = new ErasePending(SqliteSchema.Fact(session, Facts.Erasing) == 1);
        var flusher = new GroupFlusher(_log.Flush, logger);
        var transaction = new GroupTransaction(session, catalog, flusher, _checkpointer, erasures, reserve, options.MaxPoints, logger);
        Writer = new GroupWriter(transaction, flusher, options, logger);
        _eraser = new Eraser(
            session,
            Writer,
            _checkpointer,
            pages,
            new PageScrubber(_file, pageBytes, _checkpointer.Gate),
            erasures,
            TimeSpan.FromSeconds(options.EraseSeconds),
            time,
            logger,
            indexFiles);
        indexFiles.Start(Writer, time);
        if (erasures.IsRecorded)
        {
            _eraser.Start();
        }

        var reads = options.MaxConcurrentReads > 0 ? options.MaxConcurrentReads : 2 * Environment.ProcessorCount;
        Readers = new SessionPool(() => SqliteSchema.Open(options.Directory, readOnly: true), reads);
        Lookups = new SessionPool(() => SqliteSchema.Open(options.Directory, readOnly: true), Math.Max(1, reads / 2));
        _verifier = new IndexVerifier(Readers, Writer, catalog, time, logger);
        _verifier.Start(indexFiles.Loaded);
        var searchThreads = options.SearchThreads > 0 ? options.SearchThreads : Environment.ProcessorCount;
        Search = new ExactSearch(searchThreads);
        Indexer = new Indexer(options, searchThreads, Writer, SearchAsync, time, logger);
        foreach (var index in catalog.All)
        {
            Indexer.Set(index, index.Settings.ApproximateIndex);
        }

        Indexer.Start();
    }

    public Catalog Catalog { get; }

    /// <summary>The files of the indexes, for tests.</summary>
    public IndexFiles IndexFiles => _indexFiles;

    public GroupWriter Writer { get; }

    /// <summary>Runs reads of many rows: listings, counts and filters.</summary>
    public SessionPool Readers { get; }

    /// <summary>Runs reads of single points, which do not wait for scans.</summary>
    public SessionPool Lookups { get; }

    public ExactSearch Search { get; }

    /// <summary>Builds the approximate indexes.</summary>
    public Indexer Indexer { get; }

    /// <summary>Locks the directory, opens the file and loads it. UNAVAILABLE if that fails.</summary>
    public static EmbeddedEngine Open(
        EmbeddedStoreOptions options, TimeProvider time, ILogger logger, CancellationToken cancellationToken)
    {
        var directory = DirectoryLock.Take(options.Directory);
        SqliteSession? session = null;
        var catalog = new Catalog();
        try
        {
            var reserve = new DiskReserve(options.Directory, options.ReserveBytes, logger);
            StoreIdentity.Require(options.Directory);
            session = OpenFile(options.Directory, reserve, time, logger);
            StoreIdentity.Record(options.Directory);
            var indexFiles = new IndexFiles(options, logger);
            catalog.Load(session, indexFiles, logger, cancellationToken);
            ReportLimits(catalog, options, logger);
            reserve.Restore();
            return new EmbeddedEngine(directory, reserve, session, catalog, indexFiles, options, time, logger);
        }
        catch (Exception exception)
        {
            catalog.Dispose();
            session?.Dispose();
            directory.Dispose();
            if (exception is SqliteException or IOException)
            {
                throw new Fault(
                    FaultKind.Unavailable,
                    Reasons.StoreUnavailable,
                    $"The store's file '{SqliteSchema.PathIn(options.Directory)}' cannot be used: {exception.Message}"
                    + (SqliteFaults.IsCorrupt(exception) ? " Run 'embeddings store salvage' to save what is readable." : ""),
                    inner: exception);
            }

            throw;
        }
    }

    /// <summary>Returns the hits of each query, best first, without payloads.</summary>
    public async Task<Hit[][]> SearchAsync(SearchPlan plan, CancellationToken cancellationToken)
    {
        var found = await Search.RunAsync(plan, cancellationToken);
        return await Readers.RunAsync(session => Rescoring.Run(session, plan, found), cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await _eraser.DisposeAsync();
        await Task.Run(Indexer.Stop);
        await _indexFiles.DisposeAsync();
        await _verifier.DisposeAsync();
        await Writer.DisposeAsync();
        await Readers.DisposeAsync();
        await Lookups.DisposeAsync();
        _indexFiles.Finish(_session, _log.Flush);
        _eraser.Finish();
        Indexer.Finish();
        await _checkpointer.FinishAsync(_session);
        _session.Dispose();
        _log.Dispose();
        _file.Dispose();
        Catalog.Dispose();
        Indexer.Dispose();
        // The log is gone, which leaves space for the next start on a full disk.
        _reserve.Restore();
        _directory.Dispose();
    }

    private static SqliteSession OpenFile(string directory, DiskReserve reserve, TimeProvider time, ILogger logger)
    {
        try
        {
            return OpenFile(directory, time, logger);
        }
        catch (SqliteException exception) when (SqliteFaults.IsEnvironment(exception) && reserve.IsScarce)
        {
            // Opening creates the index of the log.
            reserve.Release();
            return OpenFile(directory, time, logger);
        }
    }

    private static SqliteSession OpenFile(string directory, TimeProvider time, ILogger logger)
    {
        var session = SqliteSchema.Open(directory, readOnly: false);
        try
        {
            // NORMAL: a commit does not flush the log. That happens through a separate handle, so the next group need
            // not wait. A checkpoint still flushes both files.
            SqliteSchema.Run(session.Connection, "PRAGMA synchronous = NORMAL");
            SqliteSchema.Run(
                session.Connection,
                $"PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {Checkpointer.LogBytes};");
            if (SqliteSchema.Prepare(session, directory, time.GetUtcNow()) && FreePages(session) is > 0 and var pages)
            {
                logger.FreePagesOfEarlierVersion(pages, SqliteSchema.PathIn(directory));
            }

            return session;
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    private static long FreePages(SqliteSession session) => (long)session.Scalar("PRAGMA freelist_count")!;

    private static void ReportLimits(Catalog catalog, EmbeddedStoreOptions options, ILogger logger)
    {
        if (catalog.Count > options.MaxCollections)
        {
            logger.LimitExceeded($"{catalog.Count} collections, Store:Embedded:MaxCollections is {options.MaxCollections}");
        }

        if (catalog.TotalPoints > options.MaxPoints)
        {
            logger.LimitExceeded($"{catalog.TotalPoints} points, Store:Embedded:MaxPoints is {options.MaxPoints}");
        }

        if (catalog.All.MaxBy(static index => index.Dimension) is { } largest && largest.Dimension > options.MaxDimension)
        {
            logger.LimitExceeded(
                $"collection '{largest.Name}' has {largest.Dimension} dimensions, Store:Embedded:MaxDimension is "
                + $"{options.MaxDimension}");
        }
    }
}
