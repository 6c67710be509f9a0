namespace Embeddings.Storage.Sqlite;

/// <summary>Inserts or replaces points, in order, so that of equal ids the last wins.</summary>
internal sealed class UpsertRequest(CollectionIndex index, PointRow[] points, CancellationToken cancellationToken)
    : WriteRequest(points.Length, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        foreach (var point in points)
        {
            if (index.Statements.TryInsert(context.Session, point, index.NextRow))
            {
                context.Inserted(index, index.NextRow++, point);
            }
            else
            {
                context.Replaced(index, index.Statements.Replace(context.Session, point), point);
            }
        }

        return points.Length;
    }
}
