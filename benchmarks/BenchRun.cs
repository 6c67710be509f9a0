using System.Diagnostics;
using Embeddings.Benchmarks.Comparisons;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Reporting;
using Embeddings.Client;
using Grpc.Core;

namespace Embeddings.Benchmarks;

/// <summary>Measures what was asked for, one after the other, and writes what came out.</summary>
internal static class BenchRun
{
    public static async Task<int> RunAsync(BenchSettings settings, IReadOnlyList<string> only)
    {
        var (directory, wanted) = (settings.Directory, Wanted(only));
        Directory.CreateDirectory(directory);
        var outcomes = new List<Outcome>();
        var failed = false;
        foreach (var comparison in wanted)
        {
            var began = Stopwatch.GetTimestamp();
            await Console.Error.WriteAsync($"{string.Join(", ", comparison.Ids)} ... ");
            try
            {
                outcomes.AddRange(await comparison.RunAsync(settings));
                await Console.Error.WriteLineAsync($"{Stopwatch.GetElapsedTime(began).TotalSeconds:0.0} s");
            }
            catch (Exception e) when (e is BenchException or EmbeddingsException or RpcException)
            {
                // The figures of the others are not lost.
                failed = true;
                await Console.Error.WriteLineAsync($"failed: {e.Message}");
            }
        }
        settings.Clear();
        OutcomeTable.Write(outcomes);
        SummaryFile.Write(Path.Combine(directory, "summary.json"), outcomes);
        await File.WriteAllTextAsync(Path.Combine(directory, "summary.svg"), OutcomeChart.Draw(outcomes));
        await File.WriteAllTextAsync(Path.Combine(directory, "summary.md"), SummaryPage.Write(outcomes));
        Console.WriteLine($"written: {Path.Combine(directory, "summary.json")}, summary.svg and summary.md");
        return failed ? 1 : 0;
    }

    private static List<Comparison> Wanted(IReadOnlyList<string> only)
    {
        var known = Comparison.All.SelectMany(static comparison => comparison.Ids).ToHashSet(StringComparer.OrdinalIgnoreCase);
        if (only.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
        {
            throw new BenchException($"there is no '{unknown}'; there are {string.Join(", ", known)}");
        }
        return [.. Comparison.All.Where(comparison => only.Count == 0 ? !comparison.IsLong : comparison.Ids.Any(id => only.Contains(id, StringComparer.OrdinalIgnoreCase)))];
    }
}
