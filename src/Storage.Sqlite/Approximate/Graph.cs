namespace Embeddings.Storage.Sqlite.Approximate;

/// <summary>
/// A graph (HNSW) of USearch over int8 vectors by row number. Searches run concurrently, and so do the additions of one
/// <see cref="Change"/>; a search never overlaps an addition, because the library reads the links of a node without a lock.
/// </summary>
/// <remarks>
/// A row that is removed from the library's index stays a node with its vector. So a row that is deleted is overwritten: its node gets
/// a vector of zeros, which is near to nothing, and waits as a spare node for the next row that is added.
/// </remarks>
internal sealed unsafe class Graph : IDisposable
{
    // Spare nodes have this key and those after it. Row numbers are positive.
    private const ulong FirstSpare = 1UL << 63;

    private const int MinCapacity = 1024;

    // Time for which additions keep searches waiting, milliseconds.
    private const double PartMilliseconds = 3;

    private readonly ReaderWriterLockSlim _lock = new();
    private readonly SemaphoreSlim _searches;
    private readonly int _dimension;
    private readonly int _threads;
    private readonly sbyte[] _zeros;
    private nint _index;
    private long _nodes;
    private int _spares;
    private int _waiting;

    /// <param name="dimension">The dimension of the vectors.</param>
    /// <param name="settings">The settings.</param>
    /// <param name="threads">The maximum number of concurrent searches, and of concurrent additions.</param>
    public Graph(int dimension, ApproximateIndexSettings settings, int threads)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(dimension, GraphCodes.MaxDimension);
        _dimension = dimension;
        _threads = threads;
        _zeros = new sbyte[dimension];
        _searches = new SemaphoreSlim(threads);
        var options = new UsearchOptions
        {
            Metric = UsearchNative.Cosine,
            Scalar = UsearchNative.Int8,
            Dimensions = (nuint)dimension,
            Links = (nuint)settings.Links,
            ExpansionAdd = (nuint)settings.BuildCandidates,
            // A search has as many candidates as results, because all of them are scored again.
            ExpansionSearch = 1,
        };
        _index = UsearchNative.Init(options, out var error);
        UsearchNative.Check(error);
        ReserveThreads();
    }

    /// <summary>The number of nodes, with spare ones.</summary>
    public long Nodes => Volatile.Read(ref _nodes);

    /// <summary>The number of spare nodes.</summary>
    public int Spares => Volatile.Read(ref _spares);

    /// <summary>The approximate memory of the graph, bytes.</summary>
    public long Bytes => Read(static index => (long)UsearchNative.MemoryUsage(index, out _));

    /// <summary>
    /// Returns the rows whose vectors are nearest to a query, nearest first, at most as many as <paramref name="rows"/> has. Asking for
    /// more rows also widens the search.
    /// </summary>
    /// <returns>The number of rows.</returns>
    public int Search(ReadOnlySpan<sbyte> query, Span<long> rows)
    {
        RequireDimension(query.Length);
        var distances = new float[rows.Length];
        // The library has memory for this many searches at a time.
        _searches.Wait();
        Interlocked.Increment(ref _waiting);
        _lock.EnterReadLock();
        Interlocked.Decrement(ref _waiting);
        try
        {
            if (_index == 0 || _nodes == 0 || rows.IsEmpty)
            {
                return 0;
            }

            int found;
            fixed (sbyte* vector = query)
            fixed (long* first = rows)
            fixed (float* distance = distances)
            {
                found = (int)UsearchNative.Search(
                    _index, vector, UsearchNative.Int8, (nuint)rows.Length, (ulong*)first, distance, out var error);
                UsearchNative.Check(error);
            }

            return WithoutSpares(rows[..found]);
        }
        finally
        {
            _lock.ExitReadLock();
            _searches.Release();
        }
    }

    /// <summary>
    /// Adds, replaces and erases vectors. Searches run between parts of a few milliseconds. One call at a time. If it throws, the graph
    /// must not be used any more.
    /// </summary>
    /// <param name="changes">The changes, each row once.</param>
    /// <param name="codes">The vectors of the changes, one after the other.</param>
    /// <param name="threads">The number of threads.</param>
    /// <param name="cancellationToken">Ends the call between two parts.</param>
    /// <returns>The number of changes that were made.</returns>
    public int Change(GraphChange[] changes, sbyte[] codes, int threads, CancellationToken cancellationToken)
    {
        threads = Math.Clamp(threads, 1, _threads);
        var done = 0;
        while (done < changes.Length && !cancellationToken.IsCancellationRequested)
        {
            // The lock alone would favor the additions, which take it all the time.
            SpinWait.SpinUntil(() => Volatile.Read(ref _waiting) == 0, TimeSpan.FromMilliseconds(PartMilliseconds));
            _lock.EnterWriteLock();
            try
            {
                ObjectDisposedException.ThrowIf(_index == 0, this);
                var began = TimeProvider.System.GetTimestamp();
                do
                {
                    var end = Math.Min(done + threads, changes.Length);
                    Apply(changes, codes, done, end);
                    done = end;
                }
                while (done < changes.Length
                    && Volatile.Read(ref _waiting) == 0
                    && TimeProvider.System.GetElapsedTime(began).TotalMilliseconds < PartMilliseconds
                    && !cancellationToken.IsCancellationRequested);
            }
            finally
            {
                _lock.ExitWriteLock();
            }
        }

        return done;
    }

    /// <summary>Reads the vector of a row. Returns false if the graph does not have it.</summary>
    public bool TryGet(long row, Span<sbyte> codes)
    {
        RequireDimension(codes.Length);
        fixed (sbyte* vector = codes)
        {
            var target = (nint)vector;
            return Read(index => UsearchNative.Get(index, (ulong)row, 1, (sbyte*)target, UsearchNative.Int8, out _) > 0);
        }
    }

    /// <summary>Writes the graph to a file. <see cref="IOException"/> if not all of it was written.</summary>
    public void Save(string path)
    {
        var written = Read(index =>
        {
            UsearchNative.Save(index, path, out var error);
            UsearchNative.Check(error);
            return (long)UsearchNative.SerializedLength(index, out _);
        });
        if (new FileInfo(path).Length != written)
        {
            // The library does not check whether the last bytes were written.
            throw new IOException($"'{path}' could not be written completely.");
        }
    }

    /// <summary>
    /// Reads the graph from a file. It must have been written by <see cref="Save"/> of the same version and must not have changed: the
    /// library would trust any content.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="rows">The number of rows of the graph; all other nodes are spare.</param>
    public void Load(string path, long rows)
    {
        _lock.EnterWriteLock();
        try
        {
            UsearchNative.Load(_index, path, out var error);
            UsearchNative.Check(error);
            if ((int)UsearchNative.Dimensions(_index, out _) != _dimension)
            {
                throw new GraphException("The file has vectors of another dimension.");
            }

            _nodes = (long)UsearchNative.Size(_index, out _);
            _spares = checked((int)(_nodes - rows));
            ReserveThreads();
        }
        finally
        {
            _lock.ExitWriteLock();
        }
    }

    public void Dispose()
    {
        _lock.EnterWriteLock();
        if (_index != 0)
        {
            UsearchNative.Free(_index, out _);
            _index = 0;
            _nodes = 0;
        }

        _lock.ExitWriteLock();
    }

    // A node that is used again is linked alone: the library skips nodes that other threads are linking, so that fewer of them would be
    // found. New nodes are linked together.
    private void Apply(GraphChange[] changes, sbyte[] codes, int start, int end)
    {
        var added = new List<int>(end - start);
        for (var i = start; i < end; i++)
        {
            var change = changes[i];
            if (change.IsInGraph)
            {
                Remove((ulong)change.Row);
                if (change.HasVector)
                {
                    Add((ulong)change.Row, codes.AsSpan(i * _dimension, _dimension));
                }
                else
                {
                    Add(FirstSpare + (ulong)_spares++, _zeros);
                }
            }
            else if (_spares > 0)
            {
                Remove(FirstSpare + (ulong)--_spares);
                Add((ulong)change.Row, codes.AsSpan(i * _dimension, _dimension));
            }
            else
            {
                added.Add(i);
            }
        }

        Reserve(_nodes + added.Count);
        if (added.Count == 1)
        {
            AddNew(added[0]);
        }
        else
        {
            Parallel.ForEach(added, AddNew);
        }

        _nodes += added.Count;

        void AddNew(int i) => Add((ulong)changes[i].Row, codes.AsSpan(i * _dimension, _dimension));
    }

    private void Add(ulong key, ReadOnlySpan<sbyte> codes)
    {
        fixed (sbyte* vector = codes)
        {
            UsearchNative.Add(_index, key, vector, UsearchNative.Int8, out var error);
            UsearchNative.Check(error);
        }
    }

    private void Remove(ulong key)
    {
        var removed = UsearchNative.Remove(_index, key, out var error);
        UsearchNative.Check(error);
        if (removed != 1)
        {
            throw new GraphException("A row that should be in the graph is missing.");
        }
    }

    private void Reserve(long nodes)
    {
        if (nodes <= (long)UsearchNative.Capacity(_index, out _))
        {
            return;
        }

        // The library copies its lists of nodes each time.
        var capacity = Math.Max(MinCapacity, nodes + (nodes / 4));
        UsearchNative.Reserve(_index, (nuint)capacity, out var error);
        UsearchNative.Check(error);
        ReserveThreads();
    }

    // The library takes the number of processors that it sees, which is not the number of threads here, and takes it again with each
    // reservation.
    private void ReserveThreads()
    {
        UsearchNative.ChangeThreadsSearch(_index, (nuint)_threads, out var error);
        UsearchNative.Check(error);
        UsearchNative.ChangeThreadsAdd(_index, (nuint)_threads, out error);
        UsearchNative.Check(error);
    }

    private T Read<T>(Func<nint, T> read)
    {
        _lock.EnterReadLock();
        try
        {
            ObjectDisposedException.ThrowIf(_index == 0, this);
            return read(_index);
        }
        finally
        {
            _lock.ExitReadLock();
        }
    }

    private static int WithoutSpares(Span<long> rows)
    {
        var kept = 0;
        foreach (var row in rows)
        {
            // As signed numbers, the keys of spare nodes are negative.
            if (row > 0)
            {
                rows[kept++] = row;
            }
        }

        return kept;
    }

    private void RequireDimension(int dimension) => ArgumentOutOfRangeException.ThrowIfNotEqual(dimension, _dimension);
}

/// <summary>A change to a graph.</summary>
/// <param name="Row">The row number, positive.</param>
/// <param name="IsInGraph">True if the graph has a vector of the row, which is replaced or erased.</param>
/// <param name="HasVector">True if the row has a vector; false to erase it.</param>
internal readonly record struct GraphChange(long Row, bool IsInGraph, bool HasVector);
