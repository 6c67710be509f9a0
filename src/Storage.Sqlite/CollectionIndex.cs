using System.Diagnostics;
using Embeddings.Primitives.Numerics;
using Embeddings.Storage.Sqlite.Approximate;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A collection in memory: vectors, ids and row numbers by slot, without gaps. The ids add a few percent to the size of
/// the vectors; with them, ties are broken exactly and a search without payloads does not read the file.
/// </summary>
internal sealed class CollectionIndex : IDisposable
{
    private readonly List<string> _ids = [];
    private readonly List<long> _rows = [];
    private readonly Dictionary<long, int> _slots = [];
    private int _count;
    private bool _closed;

    public CollectionIndex(long key, string name, int dimension, ModelStamp? model)
    {
        Key = key;
        Name = name;
        Dimension = dimension;
        Model = model;
        Vectors = new VectorSegments(dimension);
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

    public VectorSegments Vectors { get; }

    /// <summary>The approximate index, or null.</summary>
    public ApproximateIndex? Approximate { get; set; }

    /// <summary>The number of points; can be read without the gate.</summary>
    public int Count => Volatile.Read(ref _count);

    public CollectionInfo Info => new(Name, Dimension, Count, Model);

    /// <summary>The slot of a row; null if it does not exist.</summary>
    public int? TrySlot(long row) => _slots.TryGetValue(row, out var slot) ? slot : null;

    public string Id(int slot) => _ids[slot];

    public long Row(int slot) => _rows[slot];

    /// <summary>
    /// Returns the slots of the rows that exist, in ascending order, so that memory is read in one direction.
    /// </summary>
    public int[] Slots(IReadOnlyCollection<long> rows)
    {
        var slots = new List<int>(rows.Count);
        foreach (var row in rows)
        {
            if (_slots.TryGetValue(row, out var slot))
            {
                slots.Add(slot);
            }
        }

        slots.Sort();
        return [.. slots];
    }

    /// <summary>Applies committed changes in order, atomically for searches.</summary>
    public void Apply(ReadOnlySpan<IndexChange> changes)
    {
        Gate.EnterWriteLock();
        try
        {
            foreach (var change in changes)
            {
                if (_closed)
                {
                    return;
                }

                if (change.Point is { } point)
                {
                    var isFinite = TryPut(change.Row, point.Id, point.Floats);
                    Debug.Assert(isFinite, "Callers must reject vectors that are not finite or all zero.");
                    Approximate?.Put(change.Row);
                }
                else
                {
                    Remove(change.Row);
                    Approximate?.Removed(change.Row);
                }
            }
        }
        finally
        {
            Volatile.Write(ref _count, _rows.Count);
            Gate.ExitWriteLock();
        }
    }

    /// <summary>Adds a vector before the first search. Returns false if it is not finite or all zero.</summary>
    public bool Load(long row, string id, ReadOnlySpan<float> vector)
    {
        var isLoaded = TryPut(row, id, vector);
        _count = _rows.Count;
        return isLoaded;
    }

    public void Dispose()
    {
        // A search that starts after this finds an empty collection, not freed memory.
        Gate.EnterWriteLock();
        _closed = true;
        _ids.Clear();
        _rows.Clear();
        _slots.Clear();
        _count = 0;
        Vectors.Dispose();
        Approximate?.Dispose();
        Gate.ExitWriteLock();
    }

    private bool TryPut(long row, string id, ReadOnlySpan<float> vector)
    {
        if (!_slots.TryGetValue(row, out var slot))
        {
            slot = _rows.Count;
            Vectors.Reserve(slot + 1);
        }

        if (!VectorMath.TryNormalize(vector, Vectors.Span(slot)))
        {
            return false;
        }

        if (slot == _rows.Count)
        {
            _rows.Add(row);
            _ids.Add(id);
            _slots.Add(row, slot);
        }

        return true;
    }

    /// <summary>Removes a row; the last row moves to its slot.</summary>
    private void Remove(long row)
    {
        if (!_slots.Remove(row, out var slot))
        {
            return;
        }

        var last = _rows.Count - 1;
        if (slot != last)
        {
            Vectors.Span(last).CopyTo(Vectors.Span(slot));
            _rows[slot] = _rows[last];
            _ids[slot] = _ids[last];
            _slots[_rows[slot]] = slot;
        }

        _rows.RemoveAt(last);
        _ids.RemoveAt(last);
        Vectors.Trim(last);
    }
}
