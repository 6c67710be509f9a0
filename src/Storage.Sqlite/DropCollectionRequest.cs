namespace Embeddings.Storage.Sqlite;

/// <summary>Removes a collection with all its points.</summary>
internal sealed class DropCollectionRequest(Catalog catalog, CollectionIndex index, CancellationToken cancellationToken) : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        // The file, not memory: requests before this one in the transaction may have added points.
        var count = (long)context.Session.Scalar($"SELECT count(*) FROM {index.Statements.Table}")!;
        context.Session.Execute($"DROP TABLE {index.Statements.Table}");
        context.Session.Execute("DELETE FROM collections WHERE id = $1", index.Key);
        context.AfterCommit(() => catalog.Remove(index));
        return count;
    }
}
