using System.Text.Json;
using Embeddings.Benchmarks.Measuring;

namespace Embeddings.Benchmarks.Reporting;

/// <summary><c>summary.json</c>: for programs that compare runs.</summary>
internal static class SummaryFile
{
    public static void Write(string path, IEnumerable<Outcome> outcomes)
    {
        using var stream = File.Create(path);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        foreach (var outcome in outcomes)
        {
            json.WriteStartObject(outcome.Id);
            if (outcome.Skipped is { } reason)
            {
                json.WriteString("not_measured", reason);
            }
            else
            {
                json.WriteNumber("ratio", Rounded(outcome.Ratio.Median));
                json.WriteNumber("low", Rounded(outcome.Ratio.Low));
                json.WriteNumber("high", Rounded(outcome.Ratio.High));
            }
            if (outcome.Goal is { } goal)
            {
                json.WriteNumber("goal", goal.Value);
                json.WriteBoolean("at_least", goal.AtLeast);
                json.WriteString("unit", goal.Unit);
                json.WriteBoolean("met", outcome.IsMet ?? false);
            }
            json.WriteString("what", outcome.What);
            json.WriteString("ours", outcome.Ours);
            json.WriteString("reference", outcome.Reference);
            json.WriteNumber("pairs", outcome.Pairs);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static double Rounded(double value) => Math.Round(value, 4);
}
