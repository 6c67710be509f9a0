using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// The approximate index of a collection: a graph of its rows, and which rows are not in it. Every row of the collection is in one of
/// two sets, those whose current vector is in the graph and those that are pending; a search looks for the first ones in the graph and
/// compares the others. Whatever the graph finds is looked up in the collection and scored as in an exact search, so that the graph
/// decides which points are considered, and nothing else.
/// </summary>
/// <remarks>
/// The collection reports its changes while it holds its gate, in the order of the commits. Only the <see cref="Indexer"/> changes the
/// graph, and never while it holds the gate or <see cref="_lock"/>.
/// </remarks>
internal sealed class ApproximateIndex : IDisposable
{
    /// <summary>The recall that the number of candidates of a search is chosen for.</summary>
    public const float TargetRecall = 0.97f;

    // Until the recall has been measured.
    private const int FirstCandidates = 128;

    // A candidate costs about as much as this many rows of an exact search: for each, the graph compares the query with some tens of
    // vectors at random addresses.
    private const int RowsPerCandidate = 50;

    // Beyond this many candidates for each one that is needed, a filter leaves so few points that comparing them is cheaper.
    private const int MostOverfetch = 16;

    private const int MostCandidates = 65_536;

    // With more nodes of deleted or replaced points, a new graph is better than a repaired one.
    private const int RebuildShare = 3;
    private const int RebuildNodes = 1000;

    private readonly Lock _lock = new();
    private readonly RowBits _indexed = new();
    private readonly RowBits _pending = new();
    private readonly RowBits _outdated = new();
    private readonly HashSet<long> _building = [];
    private readonly int _threads;
    private readonly Action _wake;
    private Graph? _graph;
    private GraphRecall? _recall;
    private long _changes;
    private long _searches;
    private bool _isStale;
    private bool _isDisposed;

    /// <summary>Begins with all rows pending. The caller holds the collection's gate for writing, or nobody else has the collection.</summary>
    /// <param name="index">The collection.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="threads">The maximum number of concurrent searches.</param>
    /// <param name="wake">Called when there is work for the indexer.</param>
    public ApproximateIndex(CollectionIndex index, ApproximateIndexSettings settings, int threads, Action wake)
    {
        Index = index;
        Settings = settings;
        _threads = threads;
        _wake = wake;
        _graph = new Graph(index.Dimension, settings, threads);
        for (var slot = 0; slot < index.Count; slot++)
        {
            _pending.Add(index.Row(slot));
        }
    }

    public CollectionIndex Index { get; }

    public ApproximateIndexSettings Settings { get; }

    public ApproximateIndexState State
    {
        get
        {
            lock (_lock)
            {
                return new(_indexed.Count, _recall?.At10, _recall?.Sample ?? 0);
            }
        }
    }

    /// <summary>The measured recall, or null.</summary>
    public GraphRecall? Recall
    {
        get => Volatile.Read(ref _recall);
        set => Volatile.Write(ref _recall, value);
    }

    /// <summary>The number of rows that are not in the graph yet.</summary>
    public long Pending
    {
        get
        {
            lock (_lock)
            {
                return _pending.Count;
            }
        }
    }

    /// <summary>The number of changes to the graph so far.</summary>
    public long Changes => Volatile.Read(ref _changes);

    /// <summary>The number of searches that the graph has answered.</summary>
    public long Searches => Volatile.Read(ref _searches);

    /// <summary>The memory of the graph, bytes.</summary>
    public long Bytes => Volatile.Read(ref _graph)?.Bytes ?? 0;

    /// <summary>True after the collection was dropped or has lost its approximate index.</summary>
    public bool IsDisposed => Volatile.Read(ref _isDisposed);

    /// <summary>
    /// True if points that were in the graph have been deleted or replaced since this was last set to false: a file that was written
    /// before has their vectors.
    /// </summary>
    public bool IsStale
    {
        get => Volatile.Read(ref _isStale);
        set => Volatile.Write(ref _isStale, value);
    }

    /// <summary>Records a new or replaced row. The caller holds the collection's gate for writing.</summary>
    public void Put(long row)
    {
        bool isFirst;
        lock (_lock)
        {
            isFirst = _pending.Count == 0;
            Outdate(row);
            _pending.Add(row);
        }

        if (isFirst)
        {
            _wake();
        }
    }

    /// <summary>Records the removal of a row. The caller holds the collection's gate for writing.</summary>
    public void Removed(long row)
    {
        bool isFirst;
        lock (_lock)
        {
            isFirst = _outdated.Count == 0;
            Outdate(row);
            _pending.Remove(row);
        }

        if (isFirst)
        {
            _wake();
        }
    }

    /// <summary>
    /// Returns the hits of each query, best first; null if an exact search is cheaper, or the graph has found fewer points than there
    /// are. The caller holds the collection's gate for reading.
    /// </summary>
    public Hit[][]? TrySearch(SearchPlan plan, int workers, CancellationToken cancellationToken)
    {
        double rows = plan.Rows?.LongLength ?? Index.Count;
        var overfetch = Index.Count / Math.Max(1, rows);
        var candidates = Candidates(plan.Limit + 1, plan.Candidates) * Math.Max(1, overfetch);
        var hits = overfetch > MostOverfetch || (candidates * RowsPerCandidate) + Math.Min(Pending, rows) >= rows
            ? null
            : Search(plan, (int)Math.Min(candidates, MostCandidates), workers, cancellationToken);
        if (hits is not null)
        {
            Interlocked.Increment(ref _searches);
        }

        return hits;
    }

    /// <summary>As <see cref="TrySearch"/>, with a number of candidates, and whatever an exact search would cost.</summary>
    public Hit[][]? Search(SearchPlan plan, int candidates, int workers, CancellationToken cancellationToken)
    {
        if (IsDisposed || Volatile.Read(ref _graph) is not { } graph)
        {
            return null;
        }

        // Before the graph: a row that gets into the graph in between must not be missed, and is found twice instead.
        long[] pending;
        lock (_lock)
        {
            pending = _pending.ToArray();
        }

        Array.Sort(pending);
        var (found, rows) = Find(graph, plan, Math.Min(candidates, (int)Math.Max(1, graph.Nodes)), workers, cancellationToken);
        var matching = plan.Rows is null ? null : Matching(plan.Rows, pending, rows);
        var others = matching is null ? pending : Array.FindAll(pending, matching.Contains);
        var rest = ScanRows(plan, others, workers, cancellationToken);
        var needed = Math.Min(plan.Limit + 1, plan.Rows?.LongLength ?? Index.Count);
        var hits = new Hit[found.Length][];
        for (var q = 0; q < found.Length; q++)
        {
            var top = plan.NewTop(q);
            long points = others.Length;
            foreach (var row in found[q])
            {
                if (Array.BinarySearch(pending, row) < 0
                    && matching?.Contains(row) is not false
                    && Index.TrySlot(row) is { } slot)
                {
                    points++;
                    top.Offer(plan.Score(q, Index.Vectors.Span(slot)), row, Index.Id(slot));
                }
            }

            if (points < needed)
            {
                return null;
            }

            foreach (var hit in rest[q])
            {
                top.Offer(hit.Score, hit.Row, hit.Id);
            }

            hits[q] = top.Take();
        }

        return hits;
    }

    /// <summary>Adds some pending rows to the graph, and erases some deleted ones. Called by the indexer only.</summary>
    /// <returns>The number of changes; 0 if there is nothing to do.</returns>
    public int Step(int most, int threads, CancellationToken cancellationToken)
    {
        if (IsDisposed || _graph is not { } graph)
        {
            return 0;
        }

        if (NeedsRebuild(graph))
        {
            graph = Renew(graph);
        }

        var codes = new sbyte[most * Index.Dimension];
        var changes = Take(most, codes);
        if (changes.Length == 0)
        {
            return 0;
        }

        var done = 0;
        try
        {
            done = graph.Change(changes, codes, threads, cancellationToken);
        }
        finally
        {
            Finish(changes, done);
        }

        return done;
    }

    /// <summary>
    /// Takes the rows of a loaded graph whose vectors are still those of the collection; all others are erased by later steps. Called
    /// by the indexer only.
    /// </summary>
    /// <returns>The number of rows that are current.</returns>
    public long Adopt(Graph graph, long[] rows)
    {
        const int AtOnce = 1024;
        var current = new sbyte[Index.Dimension];
        var loaded = new sbyte[Index.Dimension];
        var empty = _graph;
        Volatile.Write(ref _graph, graph);
        empty?.Dispose();
        foreach (var part in rows.Chunk(AtOnce))
        {
            Index.Gate.EnterReadLock();
            try
            {
                lock (_lock)
                {
                    foreach (var row in part)
                    {
                        if (_pending.Contains(row)
                            && Index.TrySlot(row) is { } slot
                            && graph.TryGet(row, loaded)
                            && IsSame(slot, current, loaded))
                        {
                            _pending.Remove(row);
                            _indexed.Add(row);
                        }
                        else
                        {
                            _outdated.Add(row);
                            _isStale = true;
                        }
                    }
                }
            }
            finally
            {
                Index.Gate.ExitReadLock();
            }
        }

        lock (_lock)
        {
            return _indexed.Count;
        }
    }

    /// <summary>
    /// Returns the rows of the graph, for saving it; null if it has vectors of deleted or replaced points, or nothing. Called by the
    /// indexer only.
    /// </summary>
    public (Graph Graph, long[] Rows)? Snapshot()
    {
        lock (_lock)
        {
            return _graph is { } graph && _outdated.Count == 0 && _indexed.Count > 0 ? (graph, _indexed.ToArray()) : null;
        }
    }

    /// <summary>The number of rows in the graph whose points were deleted or replaced.</summary>
    public long Outdated
    {
        get
        {
            lock (_lock)
            {
                return _outdated.Count;
            }
        }
    }

    /// <summary>Gives the graph up after a failure; all searches are exact then. Called by the indexer only.</summary>
    public void Fail()
    {
        lock (_lock)
        {
            _indexed.Clear();
            _outdated.Clear();
            _building.Clear();
            Recall = null;
        }

        Release();
    }

    /// <summary>Frees the graph after the searches that use it. Called by the indexer only, because it may wait.</summary>
    public void Release()
    {
        var graph = _graph;
        Volatile.Write(ref _graph, null);
        graph?.Dispose();
    }

    /// <summary>Ends the index. The indexer frees its memory.</summary>
    public void Dispose()
    {
        Volatile.Write(ref _isDisposed, true);
        _wake();
    }

    /// <summary>The number of candidates of a search for some points.</summary>
    private int Candidates(int limit, int? wanted) => Math.Clamp(
        // The default holds for 10 points; each further one needs room.
        wanted ?? ((Recall?.Candidates ?? FirstCandidates) + (2 * Math.Max(0, limit - 11))), limit, MostCandidates);

    // The rows that the graph finds for each query, and all of them.
    private static (long[][] Found, HashSet<long>? All) Find(
        Graph graph, SearchPlan plan, int candidates, int workers, CancellationToken cancellationToken)
    {
        var found = new long[plan.QueryCount][];
        if (workers == 1 || found.Length == 1)
        {
            for (var q = 0; q < found.Length; q++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                found[q] = FindOne(graph, plan, q, candidates);
            }
        }
        else
        {
            var parallelism = new ParallelOptions { MaxDegreeOfParallelism = workers };
            Parallel.For(0, found.Length, parallelism, q =>
            {
                if (!cancellationToken.IsCancellationRequested)
                {
                    found[q] = FindOne(graph, plan, q, candidates);
                }
            });
            cancellationToken.ThrowIfCancellationRequested();
        }

        return (found, plan.Rows is null ? null : [.. found.SelectMany(static rows => rows)]);
    }

    private static long[] FindOne(Graph graph, SearchPlan plan, int query, int candidates)
    {
        Span<sbyte> codes = new sbyte[plan.Index.Dimension];
        GraphCodes.Encode(plan.Query(query), codes);
        var rows = new long[candidates];
        return rows[..graph.Search(codes, rows)];
    }

    // One pass over the rows of the filter: they are not sorted, and there may be many.
    private static HashSet<long> Matching(long[] filter, long[] pending, HashSet<long>? found)
    {
        var matching = new HashSet<long>();
        foreach (var row in filter)
        {
            if (found!.Contains(row) || (pending.Length > 0 && Array.BinarySearch(pending, row) >= 0))
            {
                matching.Add(row);
            }
        }

        return matching;
    }

    private static Hit[][] ScanRows(SearchPlan plan, long[] rows, int workers, CancellationToken cancellationToken)
    {
        if (rows.Length == 0)
        {
            return [.. Enumerable.Repeat<Hit[]>([], plan.QueryCount)];
        }

        var scan = new Scan(plan with { Rows = rows });
        Parallel.For(0, workers, new ParallelOptions { MaxDegreeOfParallelism = workers }, _ => scan.Work(cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        return scan.TakeHits();
    }

    // Under the lock.
    private void Outdate(long row)
    {
        _building.Remove(row);
        if (_indexed.Remove(row))
        {
            _outdated.Add(row);
            _isStale = true;
        }
    }

    private bool NeedsRebuild(Graph graph)
    {
        lock (_lock)
        {
            return _outdated.Count + graph.Spares > Math.Max(RebuildNodes, graph.Nodes / RebuildShare);
        }
    }

    private Graph Renew(Graph old)
    {
        var graph = new Graph(Index.Dimension, Settings, _threads);
        lock (_lock)
        {
            Volatile.Write(ref _graph, graph);
            foreach (var row in _indexed.ToArray())
            {
                _pending.Add(row);
            }

            _indexed.Clear();
            _outdated.Clear();
        }

        Interlocked.Increment(ref _changes);
        old.Dispose();
        return graph;
    }

    private GraphChange[] Take(int most, sbyte[] codes)
    {
        var changes = new List<GraphChange>(most);
        Index.Gate.EnterReadLock();
        try
        {
            lock (_lock)
            {
                foreach (var row in _outdated.Some(most))
                {
                    Take(row, isInGraph: true);
                }

                // Twice as many, since those that are outdated have been taken.
                foreach (var row in changes.Count == most ? [] : _pending.Some(2L * most))
                {
                    if (changes.Count == most)
                    {
                        break;
                    }

                    if (!_outdated.Contains(row))
                    {
                        Take(row, isInGraph: false);
                    }
                }
            }
        }
        finally
        {
            Index.Gate.ExitReadLock();
        }

        return [.. changes];

        void Take(long row, bool isInGraph)
        {
            var hasVector = _pending.Contains(row) && Index.TrySlot(row) is { } slot
                && Encode(slot, codes.AsSpan(changes.Count * Index.Dimension, Index.Dimension));
            if (hasVector)
            {
                _building.Add(row);
            }

            if (hasVector || isInGraph)
            {
                changes.Add(new GraphChange(row, isInGraph, hasVector));
            }
        }
    }

    private void Finish(GraphChange[] changes, int done)
    {
        lock (_lock)
        {
            for (var i = 0; i < changes.Length; i++)
            {
                var (row, isInGraph, hasVector) = changes[i];
                var isCurrent = hasVector && _building.Remove(row);
                if (i >= done)
                {
                    continue;
                }

                if (isInGraph)
                {
                    _outdated.Remove(row);
                }

                if (isCurrent)
                {
                    _pending.Remove(row);
                    _indexed.Add(row);
                }
                else if (hasVector)
                {
                    // Deleted or replaced while it was added.
                    _outdated.Add(row);
                    _isStale = true;
                }
            }
        }

        Interlocked.Add(ref _changes, done);
    }

    private bool Encode(int slot, Span<sbyte> codes)
    {
        GraphCodes.Encode(Index.Vectors.Span(slot), codes);
        return true;
    }

    private bool IsSame(int slot, sbyte[] current, sbyte[] loaded)
    {
        Encode(slot, current);
        return current.AsSpan().SequenceEqual(loaded);
    }
}
