using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Makes a collection, or lets a model be its first.</summary>
internal sealed class EnsureCollectionRequest(Catalog catalog, CollectionSpec spec, CancellationToken cancellationToken) : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        // The file, not the catalog: another request of this transaction may have made it.
        var session = context.Session;
        if (Find(session) is not var (key, existing))
        {
            session.Execute(
                "INSERT INTO collections(name, dimension, model, fingerprint) VALUES ($1, $2, $3, $4)",
                spec.Name,
                spec.Dimension,
                spec.Model?.Name ?? (object)DBNull.Value,
                spec.Model?.Fingerprint ?? (object)DBNull.Value);
            var made = (long)session.Scalar("SELECT last_insert_rowid()")!;
            SqliteSchema.CreatePoints(session, made);
            context.AfterCommit(() => catalog.Set(made, spec));
        }
        else if (CollectionRules.Adopts(existing, spec))
        {
            session.Execute("UPDATE collections SET model = $1, fingerprint = $2 WHERE id = $3", spec.Model!.Name, spec.Model.Fingerprint, key);
            context.AfterCommit(() => catalog.Set(key, spec));
        }

        return 0;
    }

    private (long Key, CollectionSpec Spec)? Find(SqliteSession session)
    {
        using SqliteDataReader reader = session.Read("SELECT id, dimension, model, fingerprint FROM collections WHERE name = $1", spec.Name);
        if (!reader.Read())
        {
            return null;
        }

        var model = reader.IsDBNull(3) ? null : new ModelStamp(reader.GetString(2), reader.GetString(3));
        return (reader.GetInt64(0), new CollectionSpec(spec.Name, reader.GetInt32(1), model));
    }
}
