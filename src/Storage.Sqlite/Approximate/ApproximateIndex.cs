namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// The approximate index of a collection: a graph of its rows, and which rows are not in it. Every row of the collection is in one of
/// two sets, those whose current vector is in the graph and those that are pending; a search looks for the first ones in the graph and
/// compares the others. The graph only chooses the rows that an exact search then compares: deleted points and wrong scores cannot come
/// from it.
/// </summary>
/// <remarks>
/// The collection reports its changes while it holds its gate, in the order of the commits. Only the <see cref="Indexer"/> changes the
/// graph, and never while it holds the gate or <see cref="_lock"/>.
/// </remarks>
internal sealed class ApproximateIndex : IDisposable
{
    /// <summary>
    /// The recall of the sample that the number of candidates of a search is chosen for. Points of the graph are found more easily than
    /// other queries, for which the recall is then about 0.97 or more.
    /// </summary>
    public const float TargetRecall = 0.985f;

    // Until the recall has been measured.
    private const int FirstCandidates = 128;

    // A candidate costs about as much as this many rows of an exact search (measured with 200,000 and 1,000,000 points): for each, the
    // graph compares the query with some tens of vectors at random addresses, on one thread.
    private const int RowsPerCandidate = 100;

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
    /// Returns the slots that a search has to compare, those of all its queries together, in ascending order; null if comparing all that
    /// match its filter is cheaper, or if the graph has found fewer points than there are. The caller holds the collection's gate for
    /// reading.
    /// </summary>
    public int[]? TryFind(SearchPlan plan, int workers, CancellationToken cancellationToken)
    {
        var matching = plan.Rows?.Slots(Index);
        var rows = matching?.Count ?? Index.Count;
        var overfetch = Math.Max(1, (double)Index.Count / Math.Max(1, rows));
        var candidates = Candidates(Needed(plan), plan.ApproximateCandidates) * overfetch;
        var found = overfetch > MostOverfetch || (candidates * RowsPerCandidate) + Math.Min(Pending, rows) >= rows
            ? null
            : Find(plan, matching, (int)Math.Min(candidates, MostCandidates), workers, cancellationToken);
        if (found is not null)
        {
            Interlocked.Increment(ref _searches);
        }

        return found;
    }

    /// <summary>Finds slots with a number of candidates, whatever comparing all of them would cost; null if there are too few.</summary>
    /// <param name="plan">The search.</param>
    /// <param name="matching">The slots of its filter; null without one.</param>
    /// <param name="candidates">The number of candidates.</param>
    /// <param name="workers">The number of threads.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
    public int[]? Find(SearchPlan plan, SlotSet? matching, int candidates, int workers, CancellationToken cancellationToken)
    {
        if (IsDisposed || Volatile.Read(ref _graph) is not { } graph)
        {
            return null;
        }

        // Before the graph: a row that gets into the graph in between must not be missed.
        long[] pending;
        lock (_lock)
        {
            pending = _pending.ToArray();
        }

        HashSet<int> others = [.. pending.Select(Index.Slot).Where(IsWanted)];
        var slots = new HashSet<int>(others);
        var needed = Math.Min(Needed(plan), matching?.Count ?? Index.Count);
        foreach (var rows in Search(graph, plan, (int)Math.Min(candidates, Math.Max(1, graph.Nodes)), workers, cancellationToken))
        {
            var count = others.Count;
            foreach (var row in rows)
            {
                if (Index.Slot(row) is var slot && IsWanted(slot))
                {
                    slots.Add(slot);
                    count += others.Contains(slot) ? 0 : 1;
                }
            }

            if (count < needed)
            {
                return null;
            }
        }

        int[] sorted = [.. slots];
        Array.Sort(sorted);
        return sorted;

        // Rows of deleted points are not in the collection.
        bool IsWanted(int slot) => slot >= 0 && matching?.Contains(slot) is not false;
    }

    /// <summary>Adds some pending rows to the graph, and erases some deleted ones. Called by the indexer only.</summary>
    /// <returns>The number of changes; 0 if there is nothing to do.</returns>
    public int Step(int most, int threads, CancellationToken cancellationToken)
    {
        if (IsDisposed || _graph is not { } graph)
        {
            return 0;
        }

        lock (_lock)
        {
            if (_pending.Count + _outdated.Count == 0)
            {
                return 0;
            }
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
                            && Index.Slot(row) is >= 0 and var slot
                            && graph.TryGet(row, loaded)
                            && IsSame(slot))
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

        bool IsSame(int slot)
        {
            GraphCodes.Copy(Index.Vectors, slot, current);
            return current.AsSpan().SequenceEqual(loaded);
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

    // The points that a search returns, and those that it excludes.
    private static int Needed(SearchPlan plan) => plan.Limit + plan.Excluded.Max(static ids => ids?.Count ?? 0);

    /// <summary>The number of candidates of a search for some points.</summary>
    private int Candidates(int needed, int? wanted) => Math.Clamp(
        // The default holds for 10 points; each further one needs room.
        wanted ?? ((Recall?.Candidates ?? FirstCandidates) + (2 * Math.Max(0, needed - 11))), Math.Max(1, needed), MostCandidates);

    private static long[][] Search(
        Graph graph, SearchPlan plan, int candidates, int workers, CancellationToken cancellationToken)
    {
        var found = new long[plan.QueryCount][];
        var parallelism = new ParallelOptions { MaxDegreeOfParallelism = found.Length == 1 ? 1 : workers };
        Parallel.For(0, found.Length, parallelism, q =>
        {
            if (!cancellationToken.IsCancellationRequested)
            {
                var rows = new long[candidates];
                found[q] = rows[..graph.Search(GraphCodes.Encode(plan.Query(q)), rows)];
            }
        });
        cancellationToken.ThrowIfCancellationRequested();
        return found;
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
            var hasVector = _pending.Contains(row) && Index.Slot(row) >= 0;
            if (hasVector)
            {
                GraphCodes.Copy(
                    Index.Vectors, Index.Slot(row), codes.AsSpan(changes.Count * Index.Dimension, Index.Dimension));
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
}
