using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Processes;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// From the start of the process until it serves, with the default models (P9); the reference is the bare echo, which loads nothing. It is not the first start
/// with these models: that one keeps their optimized graphs for the others.
/// </summary>
internal static class Startup
{
    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        async Task<double> OursAsync()
        {
            using var server = await GrpcProcess.ServerAsync(settings.Scratch("startup"), []);
            return server.Startup.TotalSeconds;
        }

        async Task<double> EchoAsync()
        {
            using var echo = await GrpcProcess.EchoAsync();
            return echo.Startup.TotalSeconds;
        }

        using (await GrpcProcess.ServerAsync(settings.Scratch("startup"), []))
        {
            // The graphs are written in the background.
            await Task.Delay(TimeSpan.FromSeconds(3));
        }
        var pairs = await Pairs.MeasureAsync(settings.Count(9, 3), OursAsync, EchoAsync);
        return
        [
            new Outcome
            {
                Id = "P9",
                What = "process start to SERVING with the default models, seconds; the reference is the bare echo",
                Ours = $"{Spread.MedianOf(pairs.Ours):0.00} s",
                Reference = $"{Spread.MedianOf(pairs.Reference):0.00} s",
                Ratio = Spread.Of(pairs.Ours),
                Goal = Goal.OrLess(1, "s"),
                Pairs = pairs.Count,
            },
        ];
    }
}
