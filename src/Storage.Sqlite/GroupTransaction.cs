using Embeddings.Primitives;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Writes a group of requests in one transaction so that one that fails does not fail its neighbours.</summary>
internal sealed class GroupTransaction(
    SqliteSession session, Catalog catalog, GroupFlusher flusher, Checkpointer checkpointer, int maxPoints, ILogger logger)
{
    /// <summary>
    /// Writes and commits them; requests that failed alone know it. Returns what memory has to learn once the log is flushed. Throws where all of them failed.
    /// </summary>
    public WriteContext Write(List<WriteRequest> group)
    {
        var context = new WriteContext(session);

        // In this order: points that come into memory in between are counted twice, not missed.
        var total = flusher.PendingPoints + catalog.TotalPoints;

        // Savepoints cost, so they come only where they may be needed: close to the limit, or after a failure.
        if (total + group.Sum(static request => (long)request.Points) > maxPoints)
        {
            // Close to it every point counts, so that none must be on its way.
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
                    $"the store is full: it holds {total + mark.Net} of at most {maxPoints} points; raise Store:Embedded:MaxPoints if memory allows, "
                    + "or set Store:Kind to Qdrant for more than one machine holds");
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
