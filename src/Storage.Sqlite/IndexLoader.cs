using System.Runtime.InteropServices;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Brings the collections of a file into memory at start. A row whose vector cannot be one (another length, not finite, all zero) does not keep the server
/// down and is not lost: it moves to the table <c>damaged</c>, and a warning tells.
/// </summary>
internal static class IndexLoader
{
    public static void Load(SqliteSession session, Catalog catalog, ILogger logger, CancellationToken cancellationToken)
    {
        using (var reader = session.Read("SELECT id, name, dimension, model, fingerprint FROM collections"))
        {
            while (reader.Read())
            {
                var model = reader.IsDBNull(4) ? null : new ModelStamp(reader.GetString(3), reader.GetString(4));
                catalog.Set(reader.GetInt64(0), new CollectionSpec(reader.GetString(1), reader.GetInt32(2), model));
            }
        }

        foreach (var index in catalog.All)
        {
            var damaged = Load(session, index, cancellationToken);
            if (damaged.Count > 0)
            {
                MoveAway(session, index, damaged.Keys);
                logger.PointsDamaged(index.Name, damaged.Count, damaged.Values.First());
            }
        }
    }

    private static Dictionary<long, string> Load(SqliteSession session, CollectionIndex index, CancellationToken cancellationToken)
    {
        var damaged = new Dictionary<long, string>();
        var vector = new float[index.Dimension];
        var bytes = MemoryMarshal.AsBytes(vector.AsSpan());
        var buffer = new byte[bytes.Length];
        using var reader = session.Read($"SELECT row, id, vector FROM {index.Statements.Table} ORDER BY row");
        while (reader.Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var row = reader.GetInt64(0);
            var id = PointCodec.Text(reader, 1);
            var isWhole = reader.GetBytes(2, 0, null, 0, 0) == buffer.Length && reader.GetBytes(2, 0, buffer, 0, buffer.Length) == buffer.Length;
            buffer.CopyTo(bytes);
            if (!isWhole || !index.Load(row, id, vector))
            {
                damaged.Add(row, id);
            }

            index.NextRow = row + 1;
        }

        return damaged;
    }

    private static void MoveAway(SqliteSession session, CollectionIndex index, IEnumerable<long> rows)
    {
        session.Execute("BEGIN IMMEDIATE");
        foreach (var row in rows)
        {
            session.Execute($"INSERT INTO damaged SELECT $1, * FROM {index.Statements.Table} WHERE row = $2", index.Name, row);
            session.Execute(index.Statements.DeleteRow, row);
        }

        session.Execute("COMMIT");
    }
}
