using System.Runtime.InteropServices;
using System.Text;
using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// After a start with indexes from files, reads all points in the background: those that are damaged move to the table <c>damaged</c>, as
/// they do at a start without files, and those that differ in the index are read again.
/// </summary>
internal sealed class IndexVerifier(
    SessionPool readers, GroupWriter writer, Catalog catalog, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private const int RowsAtOnce = 500;

    // Three quarters of the time are left to others.
    private const int PausesPerWork = 3;

    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;

    /// <summary>Begins to verify indexes.</summary>
    public void Start(IReadOnlyCollection<CollectionIndex> indexes)
    {
        if (indexes.Count > 0)
        {
            _running = Task.Run(() => RunAsync(indexes));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private async Task RunAsync(IReadOnlyCollection<CollectionIndex> indexes)
    {
        foreach (var index in indexes)
        {
            try
            {
                await VerifyAsync(index, _stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Fault fault)
            {
                // Also if the collection was dropped.
                logger.IndexNotVerified(index.Name, fault.Message);
            }
        }
    }

    private async Task VerifyAsync(CollectionIndex index, CancellationToken cancellationToken)
    {
        for (var last = (long?)0; last is { } after && !index.IsClosed;)
        {
            var began = time.GetTimestamp();
            List<long> suspects;
            (last, suspects) = await readers.RunAsync(session => Suspects(session, index, after), cancellationToken);
            if (suspects.Count > 0)
            {
                // They may have been written at the same time; when this completes, those writes are in the index.
                await writer.WriteAsync(new IndexFileRequest(static _ => { }), cancellationToken);
                suspects = await readers.RunAsync(session => suspects.FindAll(row => IsSuspect(session, index, row)), cancellationToken);
            }

            if (suspects.Count > 0)
            {
                await writer.WriteAsync(new ReadAgainRequest(catalog, index, suspects, logger), cancellationToken);
            }

            await Task.Delay(time.GetElapsedTime(began) * PausesPerWork, time, cancellationToken);
        }
    }

    private static (long? Last, List<long> Suspects) Suspects(SqliteSession session, CollectionIndex index, long after)
    {
        var points = session.Statement(
            $"SELECT {PointChecksum.Columns}, row FROM {index.Statements.Table} NOT INDEXED WHERE row > ?1 ORDER BY row LIMIT ?2");
        points.Bind(1, after);
        points.Bind(2, RowsAtOnce);
        var suspects = new List<long>();
        var last = (long?)null;
        try
        {
            while (points.Step())
            {
                last = points.Integer(PointChecksum.RowColumn);
                if (!Matches(points, index))
                {
                    suspects.Add(last.Value);
                }
            }
        }
        finally
        {
            points.Reset();
        }

        return (last, suspects);
    }

    private static bool IsSuspect(SqliteSession session, CollectionIndex index, long row)
    {
        var point = session.Statement($"SELECT {PointChecksum.Columns}, row FROM {index.Statements.Table} WHERE row = ?1");
        point.Bind(1, row);
        try
        {
            return point.Step() && !Matches(point, index);
        }
        finally
        {
            point.Reset();
        }
    }

    private static bool Matches(PreparedStatement point, CollectionIndex index)
    {
        var vector = MemoryMarshal.Cast<byte, float>(point.Bytes(PointChecksum.VectorColumn));
        return vector.Length == index.Dimension
            && PointChecksum.Holds(point)
            && index.Matches(point.Integer(PointChecksum.RowColumn), vector);
    }

    /// <summary>Moves damaged points away, and reads the others into the index again.</summary>
    private sealed class ReadAgainRequest(Catalog catalog, CollectionIndex index, List<long> rows, ILogger logger)
        : WriteRequest(0, CancellationToken.None)
    {
        public override bool Removes => true;

        protected override long Execute(WriteContext context)
        {
            var (differed, damaged, first) = (0, 0, "");
            foreach (var row in rows)
            {
                if (Read(context.Session, row) is not var (id, point))
                {
                    continue;
                }

                if (point is not null)
                {
                    context.Replaced(index, row, point);
                    differed++;
                }
                else
                {
                    MoveDamaged(context.Session, row);
                    context.Deleted(index, row);
                    first = damaged++ == 0 ? id : first;
                }
            }

            context.AfterCommit(() =>
            {
                if (damaged > 0)
                {
                    logger.PointsDamaged(index.Name, damaged, Catalog.IdDigest(first));
                }

                if (differed > 0)
                {
                    logger.IndexDiffered(index.Name, differed);
                }
            });
            if (damaged > 0)
            {
                catalog.FoundDamaged();
            }

            return differed + damaged;
        }

        private void MoveDamaged(SqliteSession session, long row)
        {
            try
            {
                Catalog.MoveDamaged(session, index, row);
            }
            catch (SqliteException exception) when (SqliteFaults.IsCorrupt(exception))
            {
                // An id or a job_id has changed, and the index of the database still has the old one.
                session.Execute($"REINDEX {index.Statements.Table}");
                Catalog.MoveDamaged(session, index, row);
            }
        }

        /// <summary>Returns the id of a point, and the point if it is sound; null if it does not exist.</summary>
        private (string Id, PointRow? Point)? Read(SqliteSession session, long row)
        {
            var table = index.Statements.Table;
            var point = session.Statement($"SELECT {PointChecksum.Columns}, row FROM {table} WHERE row = ?1");
            point.Bind(1, row);
            string id;
            try
            {
                if (!point.Step())
                {
                    return null;
                }

                id = Encoding.UTF8.GetString(point.Bytes(0));
                if (!StoreRepair.IsSound(point, index.Dimension))
                {
                    return (id, null);
                }
            }
            finally
            {
                point.Reset();
            }

            using SqliteDataReader reader = session.Read($"SELECT {PointCodec.Columns}, vector FROM {table} WHERE row = $1", row);
            reader.Read();
            return (id, PointCodec.Encode(PointCodec.Decode(reader, withPayload: true, withVector: true)));
        }
    }
}
