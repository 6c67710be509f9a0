using System.Diagnostics;

namespace Embeddings.Benchmarks.Measuring;

/// <summary>Measures durations.</summary>
internal static class Clock
{
    /// <summary>Seconds.</summary>
    public static double Time(Action work)
    {
        var began = Stopwatch.GetTimestamp();
        work();
        return Since(began);
    }

    /// <summary>Seconds.</summary>
    public static async Task<double> TimeAsync(Func<Task> work)
    {
        var began = Stopwatch.GetTimestamp();
        await work();
        return Since(began);
    }

    /// <summary>Repeats the work for about this long; how often it was done in a second.</summary>
    public static double Rate(TimeSpan about, Action work)
    {
        var began = Stopwatch.GetTimestamp();
        var times = 0;
        do
        {
            work();
            times++;
        }
        while (Stopwatch.GetElapsedTime(began) < about);
        return times / Since(began);
    }

    private static double Since(long began) => Stopwatch.GetElapsedTime(began).TotalSeconds;
}
