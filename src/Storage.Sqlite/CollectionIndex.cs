using System.Diagnostics;
using Embeddings.Storage.Sqlite.Approximate;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A collection in memory: encoded vectors and row numbers by slot, without gaps. Ids and the vectors themselves are in the file,
/// where they are read for the rows that can be hits.
/// </summary>
internal sealed class CollectionIndex : IDisposable
{
    private readonly RowSlots _slots = new();
    private int _count;
    private bool _closed;
    private bool _hasRemovals;

    public CollectionIndex(long key, string name, int dimension, ModelStamp? model)
    {
        Key = key;
        Name = name;
        Dimension = dimension;
        Model = model;
        Vectors = new CodeSegments(dimension);
        Statements = new PointStatements(key);
    }

    /// <summary>The key in the file.</summary>
    public long Key { get; }

    public string Name { get; }

    public int Dimension { get; }

    public ModelStamp? Model { get; set; }

    public PointStatements Statements { get; }

    /// <summary>
    /// The next row number, used by the writer only. Row numbers are not reused while the server runs, so that a search
    /// can refer to a point by its row number.
    /// </summary>
    public long NextRow { get; set; } = 1;

    /// <summary>
    /// Guards all members below. It prefers writers, so that consecutive searches cannot starve them.
    /// </summary>
    public ReaderWriterLockSlim Gate { get; } = new();

    public CodeSegments Vectors { get; }

    /// <summary>The approximate index, or null.</summary>
    public ApproximateIndex? Approximate { get; set; }

    /// <summary>The values of indexed attributes.</summary>
    public AttributeColumns Attributes { get; } = new();

    /// <summary>The number of points; can be read without the gate.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>True once the collection was dropped or the store closed.</summary>
    public bool IsClosed => Volatile.Read(ref _closed);

    /// <summary>The settings; replaced as a whole.</summary>
    public CollectionSettings Settings { get; set; } = CollectionSettings.None;

    /// <summary>True after rows were replaced or removed, until the caller resets it.</summary>
    public bool HasRemovals
    {
        get => Volatile.Read(ref _hasRemovals);
        set => Volatile.Write(ref _hasRemovals, value);
    }

    public CollectionInfo Info =>
        new(Name, Dimension, Count, Model) { Settings = Settings, IndexedAttributes = Attributes.Attributes };

    public long Row(int slot) => Vectors.Row(slot);

    /// <summary>Returns the slot of a row, or -1.</summary>
    public int Slot(long row) => _slots.Find(row);

    /// <summary>Returns whether a row is in the index with the codes of this vector.</summary>
    public bool Matches(long row, ReadOnlySpan<float> vector)
    {
        Gate.EnterReadLock();
        try
        {
            return _slots.Find(row) is >= 0 and var slot && Vectors.Matches(slot, vector);
        }
        finally
        {
            Gate.ExitReadLock();
        }
    }

    /// <summary>Applies committed changes in order, atomically for searches.</summary>
    public void Apply(ReadOnlySpan<IndexChange> changes)
    {
        var count = _count;
        Gate.EnterWriteLock();
        try
        {
            foreach (var change in changes)
            {
                if (_closed)
                {
                    return;
                }

                if (change is { AttributesOnly: true, Point: { } changed })
                {
                    PutAttributes(change.Row, changed.Attributes);
                }
                else if (change.Point is { } point)
                {
                    var isFinite = TryPut(change.Row, point.Floats, ref count);
                    Debug.Assert(isFinite, "Callers must reject vectors that are not finite or all zero.");
                    PutAttributes(change.Row, point.Attributes);
                    Approximate?.Put(change.Row);
                }
                else if (_slots.Remove(change.Row) is >= 0 and var slot)
                {
                    Remove(slot, ref count);
                    Approximate?.Removed(change.Row);
                }
            }
        }
        finally
        {
            if (!_closed)
            {
                Volatile.Write(ref _count, count);
            }

            Gate.ExitWriteLock();
        }
    }

    /// <summary>Adds a vector before the first search. Returns false if it is not finite or all zero.</summary>
    public bool Load(long row, ReadOnlySpan<float> vector) => TryPut(row, vector, ref _count);

    /// <summary>Adds rows that it does not have before the first search.</summary>
    public void Load(EncodedRows rows)
    {
        Vectors.Reserve(_count + rows.Count);
        Vectors.Set(_count, rows);
        for (var i = 0; i < rows.Count; i++)
        {
            _slots.Set(rows.Rows[i], _count++);
        }
    }

    /// <summary>
    /// Before the first search, takes rows over whose codes are in the segments: all slots from the first one, of which those with
    /// a row number for which <paramref name="keep"/> is true remain.
    /// </summary>
    public void Adopt(int slots, Func<long, bool> keep)
    {
        var gaps = new List<int>();
        for (var slot = 0; slot < slots; slot++)
        {
            var row = Vectors.Row(slot);
            if (row > 0 && _slots.Find(row) < 0 && keep(row))
            {
                _slots.Set(row, slot);
            }
            else
            {
                gaps.Add(slot);
            }
        }

        // From the last one on, so that only rows that remain are moved.
        _count = slots;
        for (var i = gaps.Count - 1; i >= 0; i--)
        {
            Remove(gaps[i], ref _count);
        }
    }

    /// <summary>Removes all rows before the first search.</summary>
    public void UnloadAll()
    {
        _slots.Clear();
        _count = 0;
        Vectors.Trim(0);
    }

    /// <summary>
    /// Copies consecutive blocks that have changed, and marks them as unchanged. Returns the first one and their number, which is 0
    /// if no block from <paramref name="next"/> on has changed.
    /// </summary>
    /// <param name="next">The block to begin with; then the one after those that were copied.</param>
    /// <param name="most">The maximum number of blocks.</param>
    /// <param name="copy">Copies a block, given its number and its position among the copied ones.</param>
    public (int First, int Blocks) TakeChanged(ref int next, int most, Action<int, int> copy)
    {
        Gate.EnterReadLock();
        try
        {
            var end = (_count + CodeSegments.BlockRows - 1) / CodeSegments.BlockRows;
            while (next < end && !Vectors.IsChanged(next))
            {
                next++;
            }

            var first = next;
            while (next < end && next - first < most && Vectors.IsChanged(next))
            {
                copy(next, next - first);
                Vectors.MarkChanged(next, false);
                next++;
            }

            return (first, next - first);
        }
        finally
        {
            Gate.ExitReadLock();
        }
    }

    /// <summary>Marks all blocks as changed.</summary>
    public void MarkAllChanged()
    {
        Gate.EnterReadLock();
        for (var block = 0; block * CodeSegments.BlockRows < _count; block++)
        {
            Vectors.MarkChanged(block, true);
        }

        Gate.ExitReadLock();
    }

    /// <summary>Removes a row before the first search.</summary>
    public void Unload(long row)
    {
        if (_slots.Remove(row) is >= 0 and var slot)
        {
            Remove(slot, ref _count);
        }
    }

    /// <summary>Replaces the indexes of attributes, with the values of new ones.</summary>
    public void SetAttributes(
        IReadOnlyList<AttributeIndex> indexes, IReadOnlyDictionary<long, List<(long Row, object Value)>> values)
    {
        Gate.EnterWriteLock();
        try
        {
            Attributes.Set(indexes, _count);
            foreach (var (id, entries) in values)
            {
                foreach (var (row, value) in entries)
                {
                    if (Slot(row) is >= 0 and var slot)
                    {
                        Attributes.Put(id, slot, value);
                    }
                }
            }
        }
        finally
        {
            Gate.ExitWriteLock();
        }
    }

    public void Dispose()
    {
        // A search that starts after this finds an empty collection, not freed memory.
        Gate.EnterWriteLock();
        Volatile.Write(ref _closed, true);
        _slots.Clear();
        Attributes.Clear();
        _count = 0;
        Vectors.Dispose();
        Approximate?.Dispose();
        Gate.ExitWriteLock();
    }

    private void PutAttributes(long row, byte[]? attributes)
    {
        if (Attributes.Any && Slot(row) is >= 0 and var slot)
        {
            Attributes.Put(slot, attributes);
        }
    }

    private bool TryPut(long row, ReadOnlySpan<float> vector, ref int count)
    {
        var slot = _slots.Find(row);
        var isNew = slot < 0;
        if (isNew)
        {
            slot = count;
            Vectors.Reserve(slot + 1);
        }

        if (!Vectors.TrySet(slot, row, vector))
        {
            return false;
        }

        if (isNew)
        {
            _slots.Set(row, slot);
            count++;
        }
        else
        {
            HasRemovals = true;
        }

        return true;
    }

    /// <summary>Frees a slot; the last row moves to it.</summary>
    private void Remove(int slot, ref int count)
    {
        var last = --count;
        Vectors.Move(last, slot);
        Attributes.Remove(slot, last);
        if (slot != last)
        {
            _slots.Set(Vectors.Row(slot), slot);
        }

        Vectors.Trim(last);
        HasRemovals = true;
    }
}
