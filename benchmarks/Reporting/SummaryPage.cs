using System.Globalization;
using System.Text;
using Embeddings.Benchmarks.Measuring;

namespace Embeddings.Benchmarks.Reporting;

/// <summary><c>summary.md</c>: the table as documentation has it.</summary>
internal static class SummaryPage
{
    public static string Write(IEnumerable<Outcome> outcomes)
    {
        var page = new StringBuilder("| | what | ours | reference | ratio | middle half | goal | met "
            + "|\n|---|---|---|---|---|---|---|---|\n");
        foreach (var outcome in outcomes)
        {
            if (outcome.Skipped is { } reason)
            {
                page.Append(CultureInfo.InvariantCulture, $"| {outcome.Id} | {outcome.What}: not measured, {reason} | | | | | {outcome.Goal} | **not measured** |\n");
                continue;
            }
            var met = outcome.IsMet switch { true => "yes", false => "**no**", null => "" };
            var unit = outcome.Goal?.Unit is { Length: > 0 } given ? " " + given : "";
            page.Append(CultureInfo.InvariantCulture, $"| {outcome.Id} | {outcome.What} | {outcome.Ours} | "
                + $"{outcome.Reference} ");
            page.Append(CultureInfo.InvariantCulture, $"| {outcome.Ratio.Median:0.000}{unit} | "
                + $"{outcome.Ratio.Low:0.000} to {outcome.Ratio.High:0.000} ");
            page.Append(CultureInfo.InvariantCulture, $"| {outcome.Goal} | {met} |\n");
        }
        return page.ToString();
    }
}
