using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Embeddings.Storage;

namespace Embeddings.Server.Privacy;

/// <summary>Deletes points that have expired, in small steps, at regular intervals.</summary>
internal sealed class RetentionSweeper(
    IVectorStore store,
    PrivacyOptions options,
    EmbeddingMetrics metrics,
    TimeProvider time,
    ILogger<RetentionSweeper> log) : BackgroundService
{
    // Deleting them takes some ten milliseconds, during which other writes wait.
    private const int PointsAtOnce = 1000;

    /// <summary>Deletes what has expired in all collections.</summary>
    public async Task SweepAsync(CancellationToken cancellationToken)
    {
        foreach (var collection in await store.ListCollectionsAsync(cancellationToken))
        {
            var deleted = 0L;
            try
            {
                var now = time.GetUtcNow();
                var storedBefore = PeriodOf(collection) is { } period ? now - period : (DateTimeOffset?)null;
                long some;
                do
                {
                    some = await store.DeleteExpiredAsync(
                        collection.Name, now, storedBefore, PointsAtOnce, cancellationToken);
                    deleted += some;
                }
                while (some >= PointsAtOnce);
            }
            catch (Fault fault) when (fault.Reason == Reasons.CollectionNotFound)
            {
                // Deleted since it was listed.
            }
            finally
            {
                if (deleted > 0)
                {
                    ServerLog.PointsExpired(log, deleted, collection.Name);
                    metrics.PointsExpired(deleted);
                }
            }
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(options.SweepSeconds), time);
        try
        {
            do
            {
                await TrySweepAsync(stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    /// <summary>The shorter of the server's period and the collection's own.</summary>
    private TimeSpan? PeriodOf(CollectionInfo collection) =>
        (options.PeriodOf(collection.Name), collection.Settings.Retention) switch
        {
            ({ } ofServer, { } own) => ofServer < own ? ofServer : own,
            var (ofServer, own) => ofServer ?? own,
        };

    private async Task TrySweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Not in the thread of the start.
            await Task.Yield();
            await SweepAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The next sweep tries again.
            ServerLog.SweepFailed(log, exception is Fault fault ? fault.Message : exception.ToString());
        }
    }
}
