using Embeddings.Core.Memory;

namespace Embeddings.Server.Hosting;

/// <summary>
/// Keeps the memory budget in step with the memory that the process uses, and returns memory to the system after a load: the
/// garbage collector and the C library keep what they may need again, which is the peak of the past.
/// </summary>
internal sealed class MemoryKeeper(MemoryBudget memory, TimeProvider time) : BackgroundService
{
    private const long Mebibyte = 1 << 20;

    // Growth since the last time that is worth a collection.
    private const long Growth = 24 * Mebibyte;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    // A process that uses more than half of the processors is under load, and needs its memory again. Callers that
    // continue lightly after a load must not prevent the return of its memory.
    private static readonly TimeSpan Quiet = Interval * Environment.ProcessorCount / 2;

    // Between two collections while memory is scarce.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    // While a collection returns nothing, because the memory is in use, the next one waits twice as long, up to this.
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await KeepAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // Expected: the host stops, or is disposed without having been stopped.
        }
    }

    private async Task KeepAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var lowest = Environment.WorkingSet;
        var last = lowest;
        var used = Environment.CpuUsage.TotalTime;
        var returned = time.GetTimestamp();
        var wait = Interval;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var resident = Environment.WorkingSet;
            memory.Adapt(resident);
            var now = Environment.CpuUsage.TotalTime;
            var isQuiet = now - used < Quiet;
            used = now;
            lowest = Math.Min(lowest, resident);
            if (resident > last + Growth)
            {
                wait = Interval;
            }
            var hasGrown = isQuiet && memory.Used == 0 && resident - lowest > Math.Max(Growth, lowest / 8);
            var elapsed = time.GetElapsedTime(returned);
            if ((hasGrown && elapsed > wait) || (memory.IsScarce && elapsed > Pause))
            {
                NativeHeap.Return();
                last = Environment.WorkingSet;
                lowest = Math.Min(lowest, last);
                memory.Adapt(last);
                used = Environment.CpuUsage.TotalTime;
                returned = time.GetTimestamp();
                if (resident > last + Growth)
                {
                    wait = Interval;
                }
                else
                {
                    wait = wait < MaxWait ? 2 * wait : MaxWait;
                }
            }
        }
    }
}
