using System.Diagnostics;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A collection in memory: vectors, ids and row numbers by slot, the slots dense. Ids are here too, a few percent beside the vectors, so that ties are
/// broken exactly and a search without payloads needs no file.
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

    /// <summary>Its number in the file.</summary>
    public long Key { get; }

    public string Name { get; }

    public int Dimension { get; }

    public ModelStamp? Model { get; set; }

    public PointStatements Statements { get; }

    /// <summary>
    /// The next row number. The writer's alone; never used twice while the server runs, so that a row number a search remembers stays that point's.
    /// </summary>
    public long NextRow { get; set; } = 1;

    /// <summary>Readers of everything below hold it for reading while they read; it prefers writers, so searches in a row cannot keep them out.</summary>
    public ReaderWriterLockSlim Gate { get; } = new();

    public VectorSegments Vectors { get; }

    /// <summary>Points in it; may be read without the gate.</summary>
    public int Count => Volatile.Read(ref _count);

    public CollectionInfo Info => new(Name, Dimension, Count, Model);

    public string Id(int slot) => _ids[slot];

    public long Row(int slot) => _rows[slot];

    /// <summary>The slots of those rows that are here, ascending, so that reading them goes one way through memory.</summary>
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

    /// <summary>Takes committed changes in, in order, as one step to every search.</summary>
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
                    Debug.Assert(isFinite, "callers refuse vectors that are not finite or all zero");
                }
                else
                {
                    Remove(change.Row);
                }
            }
        }
        finally
        {
            Volatile.Write(ref _count, _rows.Count);
            Gate.ExitWriteLock();
        }
    }

    /// <summary>Puts one vector in while nobody searches yet; false where it has no direction.</summary>
    public bool Load(long row, string id, ReadOnlySpan<float> vector)
    {
        var isLoaded = TryPut(row, id, vector);
        _count = _rows.Count;
        return isLoaded;
    }

    public void Dispose()
    {
        // Searches that come late find an empty collection, not freed memory.
        Gate.EnterWriteLock();
        _closed = true;
        _ids.Clear();
        _rows.Clear();
        _slots.Clear();
        _count = 0;
        Vectors.Dispose();
        Gate.ExitWriteLock();
    }

    private bool TryPut(long row, string id, ReadOnlySpan<float> vector)
    {
        if (!_slots.TryGetValue(row, out var slot))
        {
            slot = _rows.Count;
            Vectors.Reserve(slot + 1);
        }

        if (!RowNormalizer.TryNormalize(vector, Vectors.Span(slot)))
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

    /// <summary>The last row moves into the hole.</summary>
    private void Remove(long row)
    {
        if (!_slots.Remove(row, out var hole))
        {
            return;
        }

        var last = _rows.Count - 1;
        if (hole != last)
        {
            Vectors.Span(last).CopyTo(Vectors.Span(hole));
            _rows[hole] = _rows[last];
            _ids[hole] = _ids[last];
            _slots[_rows[hole]] = hole;
        }

        _rows.RemoveAt(last);
        _ids.RemoveAt(last);
        Vectors.Trim(last);
    }
}
