namespace Embeddings.Storage.Sqlite;

/// <summary>Removes points by id.</summary>
internal sealed class DeleteIdsRequest(CollectionIndex index, byte[][] ids, CancellationToken cancellationToken) : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var deleted = 0L;
        foreach (var id in ids)
        {
            if (index.Statements.Delete(context.Session, id) is { } row)
            {
                context.Deleted(index, row);
                deleted++;
            }
        }

        return deleted;
    }
}
