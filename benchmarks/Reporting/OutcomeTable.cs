using System.Globalization;
using Embeddings.Benchmarks.Measuring;
using Spectre.Console;

namespace Embeddings.Benchmarks.Reporting;

/// <summary>The outcomes for a person.</summary>
internal static class OutcomeTable
{
    // A redirected table must not be folded at 80 columns.
    private const int RedirectedWidth = 200;

    public static void Write(IEnumerable<Outcome> outcomes)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var header in (string[])["", "what", "ours", "reference", "ratio", "spread", "goal", "met"])
        {
            table.AddColumn(header);
        }
        foreach (var outcome in outcomes)
        {
            var met = outcome.IsMet switch { true => "yes", false => "no", null when outcome.Skipped is not null => "not measured", null => "" };
            table.AddRow([.. Cells(outcome, met).Select(static cell => new Text(cell))]);
        }
        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = RedirectedWidth;
        }
        AnsiConsole.Write(table);
    }

    private static string[] Cells(Outcome outcome, string met)
    {
        var unit = outcome.Goal?.Unit is { Length: > 0 } given ? " " + given : "";
        if (outcome.Skipped is { } reason)
        {
            return [outcome.Id, $"{outcome.What}: not measured, {reason}", "", "", "", "", outcome.Goal?.ToString() ?? "", met];
        }
        return
        [
            outcome.Id, outcome.What, outcome.Ours, outcome.Reference, Number(outcome.Ratio.Median) + unit,
            $"{Number(outcome.Ratio.Low)} to {Number(outcome.Ratio.High)}", outcome.Goal?.ToString() ?? "", met,
        ];
    }

    private static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);
}
