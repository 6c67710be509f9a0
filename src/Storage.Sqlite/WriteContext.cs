using System.Runtime.InteropServices;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// A running transaction: the session to write to, and the changes to apply in memory after the commit.
/// </summary>
internal sealed class WriteContext(SqliteSession session)
{
    // A row's payload and its share of the pages of four indexes.
    private const int OverheadBytes = 1024;

    private readonly List<Action> _afterCommit = [];
    private readonly List<Action> _maintenance = [];

    public SqliteSession Session { get; } = session;

    public List<IndexChange> Changes { get; } = [];

    /// <summary>The number of points inserted minus the number deleted.</summary>
    public long NetPoints { get; private set; }

    /// <summary>The approximate number of bytes written.</summary>
    public long Bytes => Changes.Sum(static change => OverheadBytes + (long)(change.Point?.Vector.Length ?? 0));

    /// <summary>True if the transaction deletes or replaces content, which must also vanish from the files.</summary>
    public bool Erases { get; private set; }

    public void Inserted(CollectionIndex index, long row, PointRow point)
    {
        Changes.Add(new IndexChange(index, row, point));
        NetPoints++;
    }

    public void Replaced(CollectionIndex index, long row, PointRow point)
    {
        Changes.Add(new IndexChange(index, row, point));
        Erases = true;
    }

    public void Deleted(CollectionIndex index, long row)
    {
        Changes.Add(new IndexChange(index, row, null));
        NetPoints--;
        Erases = true;
    }

    /// <summary>Records new attributes of a point, whose vector is the same.</summary>
    public void Updated(CollectionIndex index, long row, PointRow point)
    {
        Changes.Add(new IndexChange(index, row, point, AttributesOnly: true));
        Erases = true;
    }

    /// <summary>Records a deletion only in the file.</summary>
    public void ErasedInFile() => Erases = true;

    public void AfterCommit(Action action) => _afterCommit.Add(action);

    /// <summary>Adds work for the writer right after the commit, without an open transaction. It must not throw.</summary>
    public void Maintain(Action action) => _maintenance.Add(action);

    /// <summary>Runs the work that was added.</summary>
    public void Maintain() => _maintenance.ForEach(static action => action());

    /// <summary>Returns the current position for <see cref="Rewind"/>.</summary>
    public (int Changes, int Actions, long Net) Mark() => (Changes.Count, _afterCommit.Count, NetPoints);

    /// <summary>Discards the changes made after the mark.</summary>
    public void Rewind((int Changes, int Actions, long Net) mark)
    {
        Changes.RemoveRange(mark.Changes, Changes.Count - mark.Changes);
        _afterCommit.RemoveRange(mark.Actions, _afterCommit.Count - mark.Actions);
        NetPoints = mark.Net;
    }

    /// <summary>Applies the committed changes in memory.</summary>
    public void Apply()
    {
        foreach (var action in _afterCommit)
        {
            action();
        }

        // Consecutive changes of one collection are applied together; most groups have only one collection.
        var first = 0;
        while (first < Changes.Count)
        {
            var index = Changes[first].Index;
            var end = first;
            while (end < Changes.Count && Changes[end].Index == index)
            {
                end++;
            }

            index.Apply(CollectionsMarshal.AsSpan(Changes)[first..end]);
            first = end;
        }
    }
}

/// <summary>A committed change to a collection.</summary>
/// <param name="Index">The collection.</param>
/// <param name="Row">The point's row number.</param>
/// <param name="Point">The new content of the point; null if it was deleted.</param>
/// <param name="AttributesOnly">True if only its attributes have changed.</param>
internal readonly record struct IndexChange(CollectionIndex Index, long Row, PointRow? Point, bool AttributesOnly = false);
