namespace Embeddings.Storage.Sqlite;

/// <summary>Removes the points a filter matches.</summary>
internal sealed class DeleteMatchingRequest(CollectionIndex index, PointFilter filter, CancellationToken cancellationToken) : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var deleted = 0L;
        using var command = FilterSql.Command(context.Session, $"DELETE FROM {index.Statements.Table}", filter, tail: "RETURNING row");
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            context.Deleted(index, reader.GetInt64(0));
            deleted++;
        }

        return deleted;
    }
}
