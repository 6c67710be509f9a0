using Embeddings.Server.Hosting;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;
using Embeddings.Tooling.Stores;
using Microsoft.Data.Sqlite;

namespace Embeddings.Benchmarks.References;

/// <summary>
/// A loop of one's own around SQLite: the same table, indexes and journal, one prepared insert, values that lie ready, 1,000 rows to a transaction that is
/// flushed to the disk.
/// </summary>
internal sealed class BareSqlite : IDisposable
{
    private const int TransactionRows = 1000;
    private const int Columns = 11;

    private readonly SqliteSession _session;
    private readonly SqliteCommand _insert;
    private long _row;

    public BareSqlite(string directory)
    {
        _session = SqliteSchema.Open(directory, readOnly: false);
        SqliteSchema.CreatePoints(_session, 1);
        _insert = _session.Connection.CreateCommand();
        _insert.CommandText =
            "INSERT INTO points_1(row, id, job_id, media_store_id, face_index, confidence, bbox, landmarks, attributes, vector, checksum) "
            + $"VALUES ({string.Join(", ", Enumerable.Range(0, Columns).Select(static i => $"$p{i}"))})";
        for (var i = 0; i < Columns; i++)
        {
            _insert.Parameters.Add(new SqliteParameter($"$p{i}", DBNull.Value));
        }
        _insert.Prepare();
    }

    /// <summary>The rows with all values boxed, which is not part of the loop.</summary>
    public object[][] Prepare(IEnumerable<StoredPoint> points) =>
    [
        .. points.Select(point =>
        {
            var row = PointCodec.Encode(point);
            return new object[]
            {
                ++_row, point.Id, point.Payload.JobId, point.Payload.MediaStoreId, (long)row.FaceIndex!, (double)row.Confidence!,
                row.Bbox!, DBNull.Value, DBNull.Value, row.Vector.ToArray(), row.Checksum,
            };
        }),
    ];

    public void Insert(object[][] rows)
    {
        for (var first = 0; first < rows.Length; first += TransactionRows)
        {
            using var transaction = _session.Connection.BeginTransaction();
            _insert.Transaction = transaction;
            foreach (var row in rows.AsSpan(first, Math.Min(TransactionRows, rows.Length - first)))
            {
                for (var i = 0; i < Columns; i++)
                {
                    _insert.Parameters[i].Value = row[i];
                }
                _insert.ExecuteNonQuery();
            }
            transaction.Commit();
        }
    }

    public void Dispose()
    {
        _insert.Dispose();
        _session.Dispose();
    }
}
