using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>The server's memory after many crops, against that after few (P8).</summary>
internal static class MemoryUse
{
    private const int Few = 10_000;
    private const int Readings = 5;

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
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
