using System.Diagnostics;
using System.Globalization;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// The server's memory after many crops, against that after few (P8), and after half an hour of photographs, against that after
/// twenty minutes (P8p).
/// </summary>
internal static class MemoryUse
{
    private const int Few = 10_000;
    private const int Readings = 5;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(0.5);

    public static async Task<IReadOnlyList<Outcome>> CropsAsync(BenchSettings settings)
    {
        var many = settings.Count(1_000_000, 20_000);
        var model = BenchModel.Free(settings.Directory);
        using var served = await ServedModel.StartAsync(settings, model, BenchImages.Crops(model), 4, 256);
        await served.StreamAsync(Few);
        var before = await MegabytesAsync(served);
        await served.StreamAsync(many - Few);
        var after = await MegabytesAsync(served);
        return
        [
            new Outcome
            {
                Id = "P8",
                What = $"server memory after {many:N0} crops, over that after {Few:N0}",
                Ours = $"{after.Median:N0} MB",
                Reference = $"{before.Median:N0} MB",
                Ratio = new(after.Median / before.Median, after.Low / before.High, after.High / before.Low),
                Goal = Goal.OrLess(1.02),
                Pairs = 1,
            },
        ];
    }

    /// <summary>
    /// Measures under load, of which each photograph takes another amount of memory: the median of the readings of a tenth of the
    /// time. All readings are written to <c>memory.csv</c>.
    /// </summary>
    public static async Task<IReadOnlyList<Outcome>> PhotographsAsync(BenchSettings settings)
    {
        var all = settings.Quick ? TimeSpan.FromSeconds(45) : TimeSpan.FromMinutes(30);
        using var served = await ServedModel.StartAsync(
            settings, BenchModel.ResNet18(settings.Directory), BenchImages.Mixed(), 4, 8);
        var readings = new List<(double Seconds, double Megabytes)>();
        var began = Stopwatch.GetTimestamp();
        var load = served.StreamAsync(all);
        while (!load.IsCompleted)
        {
            await Task.WhenAny(load, Task.Delay(Interval));
            readings.Add((Stopwatch.GetElapsedTime(began).TotalSeconds, served.Server.Memory / 1e6));
        }
        var embedded = (await load).Embedded;
        await File.WriteAllLinesAsync(
            Path.Combine(settings.Directory, "memory.csv"),
            readings.Select(reading => string.Create(CultureInfo.InvariantCulture, $"{reading.Seconds:0.0},{reading.Megabytes:0.0}"))
                .Prepend("seconds,megabytes"));
        var (before, after) = (Until(all * 2 / 3), Until(all));
        return
        [
            new Outcome
            {
                Id = "P8p",
                What = $"server memory under photographs of mixed sizes, {embedded:N0} in {Minutes(all)} minutes, over that after {Minutes(all * 2 / 3)} minutes",
                Ours = $"{after.Median:N0} MB",
                Reference = $"{before.Median:N0} MB",
                Ratio = new(after.Median / before.Median, after.Low / before.High, after.High / before.Low),
                Goal = Goal.OrLess(1.02),
                Pairs = 1,
            },
        ];

        Spread Until(TimeSpan end) => Spread.Of(readings
            .Where(reading => reading.Seconds <= end.TotalSeconds && reading.Seconds > (end - (all / 10)).TotalSeconds)
            .Select(static reading => reading.Megabytes));

        static string Minutes(TimeSpan time) => time.TotalMinutes.ToString("0.##", CultureInfo.InvariantCulture);
    }

    // Resident memory, some readings apart.
    private static async Task<Spread> MegabytesAsync(ServedModel served)
    {
        var readings = new double[Readings];
        for (var i = 0; i < Readings; i++)
        {
            await Task.Delay(100);
            readings[i] = served.Server.Memory / 1e6;
        }
        return Spread.Of(readings);
    }
}
