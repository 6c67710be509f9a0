using Embeddings.Benchmarks.Measuring;
using Embeddings.Tooling.Charts;

namespace Embeddings.Benchmarks.Curves;

/// <summary>Draws how the service scales; <c>docs/</c> has the curves of one machine.</summary>
internal static class CurvesRun
{
    private static readonly (string Name, Func<BenchSettings, Task> RunAsync)[] Curves =
    [
        ("streams", StreamsCurve.RunAsync),
        ("messages", MessagesCurve.RunAsync),
        ("images", ImagesCurve.RunAsync),
        ("collection", CollectionCurve.RunAsync),
        ("filters", FiltersCurve.RunAsync),
        ("recall", RecallCurve.RunAsync),
        ("growth", GrowthCurve.RunAsync),
    ];

    /// <summary>Draws these curves, or all if the list is empty.</summary>
    public static async Task<int> RunAsync(BenchSettings settings, IReadOnlyList<string> only)
    {
        if (only.FirstOrDefault(static name => !Curves.Any(curve => Is(curve.Name, name))) is { } unknown)
        {
            throw new BenchException($"there is no curve '{unknown}'; there are {string.Join(", ", Curves.Select(static curve => curve.Name))}");
        }
        Directory.CreateDirectory(settings.Directory);
        foreach (var curve in Curves.Where(curve => only.Count == 0 || only.Any(name => Is(curve.Name, name))))
        {
            await curve.RunAsync(settings);
        }
        settings.Clear();
        return 0;
    }

    private static bool Is(string curve, string name) => string.Equals(curve, name, StringComparison.OrdinalIgnoreCase);

    public static async Task WriteAsync(BenchSettings settings, string name, Chart chart)
    {
        var path = Path.Combine(settings.Directory, name);
        await File.WriteAllTextAsync(path, chart.ToSvg());
        Console.WriteLine($"written: {path}");
    }
}
