namespace Embeddings.Storage.Sqlite;

/// <summary>Writes what is there already: whether the file can be written again after a failure.</summary>
internal sealed class ProbeRequest(CancellationToken cancellationToken) : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        SqliteSchema.Run(context.Session.Connection, $"PRAGMA user_version = {SqliteSchema.Version}");
        return 0;
    }
}
