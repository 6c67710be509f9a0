using Embeddings.Benchmarks.Measuring;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>How the service scales, drawn: <c>docs/</c> has what came out on one machine.</summary>
internal static class CurvesRun
{
    public static async Task<int> RunAsync(BenchSettings settings)
    {
        Directory.CreateDirectory(settings.Directory);
        await StreamsCurve.RunAsync(settings);
        await CollectionCurve.RunAsync(settings);
        settings.Clear();
        return 0;
    }

    public static async Task WriteAsync(BenchSettings settings, string name, Chart chart)
    {
        var path = Path.Combine(settings.Directory, name);
        await File.WriteAllTextAsync(path, chart.ToSvg());
        Console.WriteLine($"written: {path}");
    }
}
