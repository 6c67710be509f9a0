using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>A write that a caller waits for.</summary>
internal abstract class WriteRequest(int points, CancellationToken cancellationToken)
{
    // Continuations run where the request is completed: in batches on the thread pool, never on the writer's thread.
    private readonly TaskCompletionSource<long> _completion = new();
    private long _result;
    private Exception? _error;

    /// <summary>
    /// The maximum number of points that it adds; counts towards the group size and the store's limit.
    /// </summary>
    public int Points { get; } = points;

    /// <summary>True if it only removes points, which is possible on a full disk.</summary>
    public virtual bool Removes => false;

    /// <summary>The number of points written or removed, once the write is durable and searchable.</summary>
    public Task<long> Completion => _completion.Task;

    /// <summary>Drops the request if its caller has cancelled it.</summary>
    public bool DropIfCancelled()
    {
        if (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }

        _error = new OperationCanceledException(cancellationToken);
        return true;
    }

    /// <summary>Executes the request within the transaction; called again after a rollback.</summary>
    public void Run(WriteContext context)
    {
        _error = null;
        _result = Execute(context);
    }

    /// <summary>Records that this request failed while others of its group may succeed.</summary>
    public void Refuse(Exception error) => _error = error;

    /// <summary>Completes the caller's task after the commit.</summary>
    public void Complete()
    {
        if (_error is null)
        {
            _completion.TrySetResult(_result);
        }
        else
        {
            Fail(_error);
        }
    }

    /// <summary>Fails the caller's task.</summary>
    public void Fail(Exception error)
    {
        if (error is OperationCanceledException)
        {
            _completion.TrySetCanceled(cancellationToken);
        }
        else
        {
            _completion.TrySetException(error);
        }
    }

    protected abstract long Execute(WriteContext context);
}

/// <summary>Creates a collection, or records its first model.</summary>
internal sealed class EnsureCollectionRequest(
    Catalog catalog, CollectionSpec spec, int maxCollections, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    /// <summary>RESOURCE_EXHAUSTED if the store has its maximum number of collections.</summary>
    public static void RequireRoom(long collections, int maxCollections)
    {
        if (collections >= maxCollections)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.StoreFull,
                $"The store must not hold more than {maxCollections} collections; it holds {collections}. Delete "
                + "collections, or raise Store:Embedded:MaxCollections.",
                "collection")
                .With(FaultKeys.Limit, maxCollections)
                .With(FaultKeys.Actual, collections)
                .With(FaultKeys.Setting, "Store:Embedded:MaxCollections");
        }
    }

    protected override long Execute(WriteContext context)
    {
        // Read from the file, not the catalog: another request of this transaction may have created the collection.
        var session = context.Session;
        if (Find(session) is not var (key, existing))
        {
            RequireRoom((long)session.Scalar("SELECT count(*) FROM collections")!, maxCollections);
            session.Execute(
                "INSERT INTO collections(name, dimension, model, fingerprint) VALUES ($1, $2, $3, $4)",
                spec.Name,
                spec.Dimension,
                spec.Model?.Name ?? (object)DBNull.Value,
                spec.Model?.Fingerprint ?? (object)DBNull.Value);
            var created = (long)session.Scalar("SELECT last_insert_rowid()")!;
            SqliteSchema.CreatePoints(session, created);
            context.AfterCommit(() => catalog.Set(created, spec));
        }
        else if (existing.Adopts(spec))
        {
            session.Execute(
                "UPDATE collections SET model = $1, fingerprint = $2 WHERE id = $3",
                spec.Model!.Name,
                spec.Model.Fingerprint,
                key);
            context.AfterCommit(() => catalog.Set(key, spec));
        }

        return 0;
    }

    private (long Key, CollectionSpec Spec)? Find(SqliteSession session)
    {
        using SqliteDataReader reader = session.Read(
            "SELECT id, name, dimension, model, fingerprint FROM collections WHERE name = $1", spec.Name);
        return reader.Read() ? Catalog.Decode(reader) : null;
    }
}

/// <summary>Removes a collection with all its points.</summary>
internal sealed class DropCollectionRequest(Catalog catalog, CollectionIndex index, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    public override bool Removes => true;

    protected override long Execute(WriteContext context)
    {
        // Counted in the file, not in memory: earlier requests of this transaction may have added points.
        var count = (long)context.Session.Scalar($"SELECT count(*) FROM {index.Statements.Table}")!;
        context.Session.Execute($"DROP TABLE {index.Statements.Table}");
        context.Session.Execute("DELETE FROM collections WHERE id = $1", index.Key);
        context.AfterCommit(() => catalog.Remove(index));
        return count;
    }
}

/// <summary>Inserts or replaces points in order; if ids repeat, the last point wins.</summary>
internal sealed class UpsertRequest(CollectionIndex index, PointRow[] points, CancellationToken cancellationToken)
    : WriteRequest(points.Length, cancellationToken)
{
    /// <summary>Inserts or replaces points in order.</summary>
    public static void Write(WriteContext context, CollectionIndex index, PointRow[] points)
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
    }

    protected override long Execute(WriteContext context)
    {
        Write(context, index, points);
        return points.Length;
    }
}

/// <summary>Inserts or replaces the faces of a job, and removes its other faces.</summary>
internal sealed class ReplaceFacesRequest(
    CollectionIndex index, byte[] jobId, PointRow[] faces, CancellationToken cancellationToken)
    : WriteRequest(faces.Length, cancellationToken)
{
    public override bool Removes => faces.Length == 0;

    protected override long Execute(WriteContext context)
    {
        UpsertRequest.Write(context, index, faces);
        var kept = faces.Select(static face => face.Id).ToHashSet(StringComparer.Ordinal);
        var removed = new List<long>();
        using (var reader = context.Session.Read(index.Statements.FacesOfJob, jobId))
        {
            while (reader.Read())
            {
                if (!kept.Contains(PointCodec.Text(reader, 0)))
                {
                    removed.Add(reader.GetInt64(1));
                }
            }
        }

        foreach (var row in removed)
        {
            context.Session.Execute(index.Statements.DeleteRow, row);
            context.Deleted(index, row);
        }

        return removed.Count;
    }
}

/// <summary>Changes the attributes of points; all of them or, if one does not exist, none.</summary>
internal sealed class UpdateAttributesRequest(
    CollectionIndex index, IReadOnlyList<string> ids, Func<StoredPoint, JsonObject?> change, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var changed = 0L;
        foreach (var id in ids)
        {
            if (PointQueries.Find(context.Session, index, id) is not { } point)
            {
                throw CollectionFaults.PointNotFound(index.Name, id);
            }

            if (change(point with { Vector = default }) is { } attributes)
            {
                var row = PointCodec.Encode(point with { Payload = point.Payload with { Attributes = attributes } });
                index.Statements.UpdateAttributes(context.Session, row);
                context.Updated(row);
                changed++;
            }
        }

        return changed;
    }
}

/// <summary>Removes points by id.</summary>
internal sealed class DeleteIdsRequest(CollectionIndex index, byte[][] ids, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    public override bool Removes => true;

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

/// <summary>Removes the points that match a filter.</summary>
internal sealed class DeleteMatchingRequest(CollectionIndex index, PointFilter filter, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    public override bool Removes => true;

    protected override long Execute(WriteContext context)
    {
        var deleted = 0L;
        using var command = FilterSql.Command(
            context.Session, $"DELETE FROM {index.Statements.Table}", filter, tail: "RETURNING row");
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            context.Deleted(index, reader.GetInt64(0));
            deleted++;
        }

        return deleted;
    }
}

/// <summary>Writes an unchanged value, to check whether the file is writable again after a failure.</summary>
internal sealed class ProbeRequest(CancellationToken cancellationToken) : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        SqliteSchema.Run(context.Session.Connection, $"PRAGMA user_version = {SqliteSchema.VersionOf(context.Session)}");
        return 0;
    }
}
