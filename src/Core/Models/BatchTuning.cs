using Embeddings.Core.Inference;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Embeddings.Core.Models;

/// <summary>
/// Warms the models up after the start, finds their best batch sizes while the host runs and is idle, and keeps these for the
/// next start.
/// </summary>
internal sealed class BatchTuning(IServiceProvider services, TimeProvider time, ILogger<ModelCatalog> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // Since the last item: after the last call of a load, another often follows soon.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Not in the constructor: all services are created before the first one starts, and resolving the catalog loads the
        // models.
        var catalog = services.GetRequiredService<ModelCatalog>();
        using var timer = new PeriodicTimer(Interval, time);
        using var stopping = stoppingToken.Register(catalog.Tuner.Interrupt);
        try
        {
            // Not during the start, which needs the processors.
            await timer.WaitForNextTickAsync(stoppingToken);
            await RunAsync(() => WarmUp(catalog));
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                if (catalog.All.Any(static model => model.Trials is { AreWanted: true }))
                {
                    await RunAsync(() => Try(catalog));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Expected: the host stops, or is disposed without having been stopped.
        }
    }

    // Not on a thread of the pool, which a call that arrives needs at once.
    private static Task RunAsync(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static bool IsIdle(ModelCatalog catalog) => catalog.All.All(static model => model.InFlight == 0);

    // Only models that came without test runs have not run yet.
    private void WarmUp(ModelCatalog catalog)
    {
        foreach (var model in catalog.All)
        {
            try
            {
                if (model is { Session: EmbeddingSession { Cache.Graph: not null }, Trials: { } trials })
                {
                    catalog.Tuner.WarmUp(trials, () => IsIdle(catalog));
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                CoreLog.WarmUpFailed(log, e, model.Name);
            }
        }
    }

    private void Try(ModelCatalog catalog)
    {
        foreach (var model in catalog.All)
        {
            var session = model.Session as EmbeddingSession;
            if (model.Trials is not { AreWanted: true } trials || catalog.All.Any(static other => other.Idle < Pause))
            {
                continue;
            }
            try
            {
                if (catalog.Tuner.TryRun(trials, () => IsIdle(catalog)))
                {
                    CoreLog.BatchSizeFound(log, model.Name, trials.Size);
                    session?.Cache?.SetBatchSize(trials.Size);
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                CoreLog.BatchTrialFailed(log, e, model.Name, trials.Size);
            }
        }
    }
}
