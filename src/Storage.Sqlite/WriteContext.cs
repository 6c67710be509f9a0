using System.Runtime.InteropServices;

namespace Embeddings.Storage.Sqlite;

/// <summary>One transaction under way: where to write, and what memory has to learn once it is committed.</summary>
internal sealed class WriteContext(SqliteSession session)
{
    // A row's payload, and its part of the pages of four indexes.
    private const int OverheadBytes = 1024;

    private readonly List<Action> _afterCommit = [];

    public SqliteSession Session { get; } = session;

    public List<IndexChange> Changes { get; } = [];

    /// <summary>Points inserted less points deleted so far.</summary>
    public long NetPoints { get; private set; }

    /// <summary>About how much it has written, bytes.</summary>
    public long Bytes => Changes.Sum(static change => OverheadBytes + (long)(change.Point?.Vector.Length ?? 0));

    public void Inserted(CollectionIndex index, long row, PointRow point)
    {
        Changes.Add(new IndexChange(index, row, point));
        NetPoints++;
    }

    public void Replaced(CollectionIndex index, long row, PointRow point) => Changes.Add(new IndexChange(index, row, point));

    public void Deleted(CollectionIndex index, long row)
    {
        Changes.Add(new IndexChange(index, row, null));
        NetPoints--;
    }

    public void AfterCommit(Action action) => _afterCommit.Add(action);

    /// <summary>Where it stands, to come back to.</summary>
    public (int Changes, int Actions, long Net) Mark() => (Changes.Count, _afterCommit.Count, NetPoints);

    /// <summary>Forgets what came after the mark.</summary>
    public void Rewind((int Changes, int Actions, long Net) mark)
    {
        Changes.RemoveRange(mark.Changes, Changes.Count - mark.Changes);
        _afterCommit.RemoveRange(mark.Actions, _afterCommit.Count - mark.Actions);
        NetPoints = mark.Net;
    }

    /// <summary>Takes the committed changes into memory.</summary>
    public void Apply()
    {
        foreach (var action in _afterCommit)
        {
            action();
        }

        // Runs of one collection: a group is seldom of more.
        for (var (first, end) = (0, 0); first < Changes.Count; first = end)
        {
            var index = Changes[first].Index;
            while (end < Changes.Count && Changes[end].Index == index)
            {
                end++;
            }

            index.Apply(CollectionsMarshal.AsSpan(Changes)[first..end]);
        }
    }
}
