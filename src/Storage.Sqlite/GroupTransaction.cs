using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Writes a group of requests in one transaction. A request that fails does not fail the others, and on a full disk those
/// that remove points succeed.
/// </summary>
internal sealed class GroupTransaction(
    SqliteSession session,
    Catalog catalog,
    GroupFlusher flusher,
    Checkpointer checkpointer,
    ErasePending erasures,
    DiskReserve reserve,
    int maxPoints,
    ILogger logger)
{
    /// <summary>The reason that only deletions are possible; null if all writes are.</summary>
    public string? DiskFull => reserve.Reason;

    /// <summary>
    /// Writes and commits the group; a request that failed alone keeps its error. Returns the changes to apply in
    /// memory once the log is flushed. Throws if the whole group failed.
    /// </summary>
    public WriteContext Write(List<WriteRequest> group)
    {
        if (reserve.Reason is not null)
        {
            reserve.Restore();
        }

        if (reserve.Reason is null)
        {
            if (TryWriteGroup(group) is { } written)
            {
                return written;
            }

            // The space of the log may be enough.
            checkpointer.Truncate(session);
            if (TryWriteGroup(group) is { } second)
            {
                return second;
            }

            reserve.DiskFull();
        }

        return WriteRemovals(group);
    }

    private WriteContext? TryWriteGroup(List<WriteRequest> group)
    {
        try
        {
            return WriteGroup(group);
        }
        catch (SqliteException exception) when (SqliteFaults.IsDiskFull(exception))
        {
            return null;
        }
    }

    private WriteContext WriteRemovals(List<WriteRequest> group)
    {
        var removals = group.FindAll(static request => request.Removes);
        foreach (var request in group.Where(static request => !request.Removes))
        {
            request.Refuse(new Fault(FaultKind.Unavailable, Reasons.StoreUnavailable, reserve.Reason!));
        }

        if (removals.Count == 0)
        {
            return new WriteContext(session);
        }

        try
        {
            if (TryWriteGroup(removals) is { } written)
            {
                return written;
            }

            reserve.Release();
            checkpointer.Truncate(session);
            return WriteGroup(removals);
        }
        finally
        {
            checkpointer.Truncate(session);
            reserve.Restore(afterDeletion: true);
        }
    }

    private WriteContext WriteGroup(List<WriteRequest> group)
    {
        var context = new WriteContext(session);

        // In this order: points applied in memory between the two reads are counted twice, not missed.
        var total = flusher.PendingPoints + catalog.TotalPoints;

        // Savepoints cost time, so they are used only close to the limit or after a failure.
        if (total + group.Sum(static request => (long)request.Points) > maxPoints)
        {
            // Close to the limit the count must be exact, so no group may be in flight.
            flusher.Drain();
            Commit(group, context, catalog.TotalPoints, eachAlone: true);
        }
        else
        {
            try
            {
                Commit(group, context, total, eachAlone: false);
            }
            catch (Exception exception) when (!SqliteFaults.IsEnvironment(exception))
            {
                if (exception is SqliteException)
                {
                    logger.GroupRetried(group.Count, exception);
                }

                context = new WriteContext(session);
                Commit(group, context, total, eachAlone: true);
            }
        }

        checkpointer.Committed(session, context.Bytes);
        if (context.Erases)
        {
            erasures.Committed();
        }

        context.Maintain();
        return context;
    }

    private void Commit(List<WriteRequest> group, WriteContext context, long total, bool eachAlone)
    {
        session.Execute("BEGIN IMMEDIATE");
        try
        {
            foreach (var request in group)
            {
                if (eachAlone)
                {
                    RunAlone(request, context, total);
                }
                else
                {
                    request.Run(context);
                }
            }

            if (context.Erases && !erasures.IsRecorded)
            {
                // In the same transaction: a server that is killed now continues at its next start.
                SqliteSchema.SetFact(session, Facts.Erasing, 1);
            }

            session.Execute("COMMIT");
        }
        catch
        {
            Rollback();
            throw;
        }
    }

    private void RunAlone(WriteRequest request, WriteContext context, long total)
    {
        var mark = context.Mark();
        session.Execute("SAVEPOINT request");
        try
        {
            request.Run(context);
            if (context.NetPoints > mark.Net && total + context.NetPoints > maxPoints)
            {
                throw new Fault(
                    FaultKind.ResourceExhausted,
                    Reasons.StoreFull,
                    $"The store must not hold more than {maxPoints} points; it holds {total + mark.Net} points. "
                    + "Delete points, raise Store:Embedded:MaxPoints if memory allows, or set Store:Kind to Qdrant.")
                    .With(FaultKeys.Limit, maxPoints)
                    .With(FaultKeys.Actual, total + mark.Net)
                    .With(FaultKeys.Setting, "Store:Embedded:MaxPoints");
            }
        }
        catch (Exception exception) when (!SqliteFaults.IsEnvironment(exception))
        {
            session.Execute("ROLLBACK TO request");
            context.Rewind(mark);
            request.Refuse(SqliteFaults.ToFault(exception));
        }

        session.Execute("RELEASE request");
    }

    private void Rollback()
    {
        try
        {
            session.EndTransaction();
        }
        catch (SqliteException exception)
        {
            logger.GroupFailed(0, exception);
        }
    }
}
