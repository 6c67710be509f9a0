using Embeddings.Benchmarks.Measuring;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>Draws how the service scales; <c>docs/</c> has the curves of one machine.</summary>
internal static class CurvesRun
{
    public static async Task<int> RunAsync(BenchSettings settings)
    {
        Directory.CreateDirectory(settings.Directory);
        await StreamsCurve.RunAsync(settings);
        await MessagesCurve.RunAsync(settings);
        await ImagesCurve.RunAsync(settings);
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
