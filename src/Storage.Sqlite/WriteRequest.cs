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
            SettingsTables.RequireNoAlias(session, spec.Name);
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
internal sealed class DropCollectionRequest(
    Catalog catalog, CollectionIndex index, IDeletedIds? ids, CancellationToken cancellationToken)
    : DeleteRequest(catalog, index, ids, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var session = context.Session;
        var table = Index.Statements.Table;
        BeginIds();
        Held = (long)session.Scalar($"SELECT count(*) FROM {table} WHERE hold IS NOT NULL")!;
        if (Held > 0)
        {
            return DeleteMatching(context, PointFilter.All);
        }

        if (Ids is not null)
        {
            using var reader = session.Read($"SELECT id FROM {table}");
            while (reader.Read())
            {
                Ids.Add(PointCodec.Text(reader, 0));
            }
        }

        // Counted in the file, not in memory: earlier requests of this transaction may have added points.
        var count = (long)session.Scalar($"SELECT count(*) FROM {table}")!;
        DroppedTables.Drop(session, Index.Key, count);
        AttributeIndexes.Forget(session, Index.Key);
        SettingsTables.Drop(context, Catalog, Index.Key);
        session.Execute("DELETE FROM collections WHERE id = $1", Index.Key);
        if (Catalog.HasDamaged)
        {
            session.Execute("DELETE FROM damaged WHERE collection = $1 AND hold IS NULL", Index.Name);
        }

        context.ErasedInFile();
        context.AfterCommit(() => Catalog.Remove(Index));
        return count;
    }
}

/// <summary>Inserts or replaces points in order; if ids repeat, the last point wins.</summary>
internal sealed class UpsertRequest(
    Catalog catalog, CollectionIndex index, PointRow[] points, CancellationToken cancellationToken)
    : WriteRequest(points.Length, cancellationToken)
{
    /// <summary>Inserts or replaces points in order. FAILED_PRECONDITION if a point to replace is on legal hold.</summary>
    public static void Write(WriteContext context, Catalog catalog, CollectionIndex index, PointRow[] points)
    {
        foreach (var point in points)
        {
            if (index.Statements.TryInsert(context.Session, point, index.NextRow))
            {
                context.Inserted(index, index.NextRow++, point);
            }
            else if (index.Statements.Replace(context.Session, point) is { } row)
            {
                context.Replaced(index, row, point);
            }
            else
            {
                throw CollectionFaults.OnHold(index.Name, point.Id);
            }

            // The damaged version of a point that is sent again.
            if (catalog.HasDamaged
                && context.Session.Execute(
                    "DELETE FROM damaged WHERE collection = $1 AND id = CAST($2 AS TEXT) AND hold IS NULL",
                    index.Name,
                    point.IdText) > 0)
            {
                context.ErasedInFile();
            }
        }
    }

    protected override long Execute(WriteContext context)
    {
        Write(context, catalog, index, points);
        return points.Length;
    }
}

/// <summary>Inserts or replaces the faces of a job, and removes its other faces.</summary>
internal sealed class ReplaceFacesRequest(
    Catalog catalog, CollectionIndex index, byte[] jobId, PointRow[] faces, CancellationToken cancellationToken)
    : WriteRequest(faces.Length, cancellationToken)
{
    public override bool Removes => faces.Length == 0;

    protected override long Execute(WriteContext context)
    {
        UpsertRequest.Write(context, catalog, index, faces);
        var kept = faces.Select(static face => face.Id).ToHashSet(StringComparer.Ordinal);
        var removed = new List<long>();
        using (var reader = context.Session.Read(index.Statements.FacesOfJob, jobId))
        {
            while (reader.Read())
            {
                if (!kept.Contains(PointCodec.Text(reader, 0)))
                {
                    if (!reader.IsDBNull(2))
                    {
                        throw CollectionFaults.OnHold(index.Name, PointCodec.Text(reader, 0));
                    }

                    removed.Add(reader.GetInt64(1));
                }
            }
        }

        if (catalog.HasDamaged
            && context.Session.Execute(
                "DELETE FROM damaged WHERE collection = $1 AND job_id = CAST($2 AS TEXT) AND face_index IS NOT NULL "
                + "AND hold IS NULL",
                index.Name,
                jobId) > 0)
        {
            context.ErasedInFile();
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

            changed += Change(context, index, point, change) ? 1 : 0;
        }

        return changed;
    }

    /// <summary>Changes the attributes of a point that was read in the same transaction; false if they stay as they are.</summary>
    public static bool Change(WriteContext context, CollectionIndex index, StoredPoint point, Func<StoredPoint, JsonObject?> change)
    {
        if (change(point with { Vector = default }) is not { } attributes)
        {
            return false;
        }

        var changed = attributes.Count > 0 ? attributes : null;
        var row = PointCodec.Encode(point with { Payload = point.Payload with { Attributes = changed } });
        context.Updated(index, index.Statements.UpdateAttributes(context.Session, row), row);
        return true;
    }
}

/// <summary>Removes points that are not on legal hold.</summary>
internal abstract class DeleteRequest(
    Catalog catalog, CollectionIndex index, IDeletedIds? ids, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    public override bool Removes => true;

    /// <summary>The number of points that were selected and are on legal hold; valid after the completion.</summary>
    public long Held { get; protected set; }

    protected Catalog Catalog { get; } = catalog;

    protected CollectionIndex Index { get; } = index;

    protected IDeletedIds? Ids { get; } = ids;

    /// <summary>Discards what an earlier execution has reported.</summary>
    protected void BeginIds() => Ids?.Begin();

    /// <summary>Deletes the points that match and are not on hold, and returns their number.</summary>
    protected long DeleteMatching(WriteContext context, PointFilter filter)
    {
        var deleted = Delete(context, Index.Statements.Table, filter, "", "RETURNING row, id");
        if (Catalog.HasDamaged)
        {
            using var command = FilterSql.Command(
                context.Session, "DELETE FROM damaged", filter with { OnHold = false }, "collection = $collection");
            command.Parameters.AddWithValue("$collection", Index.Name);
            if (command.ExecuteNonQuery() > 0)
            {
                context.ErasedInFile();
            }
        }

        return deleted;
    }

    /// <summary>Deletes rows of a table of points, of which <paramref name="tail"/> returns row and id.</summary>
    protected long Delete(WriteContext context, string table, PointFilter filter, string condition, string tail)
    {
        var deleted = 0L;
        using var command = FilterSql.Command(
            context.Session, $"DELETE FROM {table}", filter with { OnHold = false }, condition, tail, Index.Attributes.Indexes);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            context.Deleted(Index, reader.GetInt64(0));
            Ids?.Add(PointCodec.Text(reader, 1));
            deleted++;
        }

        return deleted;
    }
}

/// <summary>Removes points by id.</summary>
internal sealed class DeleteIdsRequest(
    Catalog catalog, CollectionIndex index, byte[][] keys, IDeletedIds? ids, CancellationToken cancellationToken)
    : DeleteRequest(catalog, index, ids, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        BeginIds();
        Held = 0;
        var deleted = 0L;
        var held = new HashSet<string>(StringComparer.Ordinal);
        foreach (var key in keys)
        {
            if (Index.Statements.Delete(context.Session, key) is { } row)
            {
                context.Deleted(Index, row);
                Ids?.Add(System.Text.Encoding.UTF8.GetString(key));
                deleted++;
            }
            else if (Index.Statements.IsHeld(context.Session, key))
            {
                held.Add(System.Text.Encoding.UTF8.GetString(key));
            }

            if (Catalog.HasDamaged
                && context.Session.Execute(
                    "DELETE FROM damaged WHERE collection = $1 AND id = CAST($2 AS TEXT) AND hold IS NULL", Index.Name, key) > 0)
            {
                context.ErasedInFile();
            }
        }

        Held = held.Count;
        return deleted;
    }
}

/// <summary>Removes the points that match a filter.</summary>
internal sealed class DeleteMatchingRequest(
    Catalog catalog, CollectionIndex index, PointFilter filter, IDeletedIds? ids, CancellationToken cancellationToken)
    : DeleteRequest(catalog, index, ids, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        BeginIds();
        Held = 0;
        if (filter.OnHold is not true)
        {
            var deleted = DeleteMatching(context, filter);
            Held = filter.OnHold is false ? 0 : CountHeld(context);
            return deleted;
        }

        Held = CountHeld(context);
        return 0;
    }

    private long CountHeld(WriteContext context) =>
        PointQueries.Count(context.Session, Index, filter with { OnHold = true });
}

/// <summary>Removes points whose time of expiry or time of storing has passed.</summary>
internal sealed class DeleteExpiredRequest(
    Catalog catalog,
    CollectionIndex index,
    DateTimeOffset now,
    DateTimeOffset? storedBefore,
    int limit,
    CancellationToken cancellationToken)
    : DeleteRequest(catalog, index, null, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var table = Index.Statements.Table;
        var deleted = DeleteSome(context, $"expires_at <= {now.ToUnixTimeMilliseconds()}", limit);
        if (storedBefore is { } time)
        {
            // Only collections with a period have this index.
            context.Session.Execute($"CREATE INDEX IF NOT EXISTS {table}_stored ON {table}(stored_at)");
            deleted += DeleteSome(context, $"stored_at <= {time.ToUnixTimeMilliseconds()}", limit - deleted);
            if (SqliteSchema.Fact(context.Session, Facts.UpgradedAt) <= time.ToUnixTimeMilliseconds())
            {
                deleted += DeleteSome(context, "stored_at IS NULL", limit - deleted);
            }
        }

        return deleted;
    }

    private long DeleteSome(WriteContext context, string condition, long most)
    {
        var table = Index.Statements.Table;
        if (most <= 0)
        {
            return 0;
        }

        var rows = $"row IN (SELECT row FROM {table} WHERE {condition} AND hold IS NULL LIMIT {most})";
        return Delete(context, table, PointFilter.All, rows, "RETURNING row, id");
    }
}

/// <summary>Puts points on legal hold, or ends the hold.</summary>
internal sealed class SetHoldRequest(
    CollectionIndex index, byte[][]? keys, PointFilter filter, bool hold, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        if (keys is not null)
        {
            return keys.Sum(key => (long)index.Statements.SetHold(context.Session, key, hold));
        }

        if (filter.OnHold == hold)
        {
            return 0;
        }

        using var command = FilterSql.Command(
            context.Session,
            $"UPDATE {index.Statements.Table} SET hold = {(hold ? "1" : "NULL")}",
            filter with { OnHold = !hold },
            indexes: index.Attributes.Indexes);
        return command.ExecuteNonQuery();
    }
}

/// <summary>Deletes some rows of dropped collections; returns 0 if none are left.</summary>
internal sealed class EraseDroppedRequest() : WriteRequest(0, CancellationToken.None)
{
    public override bool Removes => true;

    protected override long Execute(WriteContext context)
    {
        var rows = DroppedTables.EraseSome(context.Session);
        if (rows > 0)
        {
            context.ErasedInFile();
        }

        return rows;
    }
}

/// <summary>Runs a step of the writer without an open transaction; the result is 1 if it succeeded, otherwise 0.</summary>
internal sealed class MaintenanceRequest(Func<bool> step) : WriteRequest(0, CancellationToken.None)
{
    private bool _done;

    public override bool Removes => true;

    /// <summary>True if the step succeeded; valid after the completion.</summary>
    public bool Done => Volatile.Read(ref _done);

    protected override long Execute(WriteContext context)
    {
        context.Maintain(() => Volatile.Write(ref _done, step()));
        return 0;
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
