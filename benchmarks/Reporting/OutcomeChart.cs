using System.Globalization;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Tooling.Charts;
using ScottPlot;

namespace Embeddings.Benchmarks.Reporting;

/// <summary>
/// Draws the distance of all outcomes from their goals. Right of the middle line is better, whichever direction the goal
/// has; one step is a factor of two.
/// </summary>
internal static class OutcomeChart
{
    private const int Width = 760;
    private const int RowHeight = 28;

    // Steps on each side of the goal.
    private const double Steps = 3;

    public static string Draw(IEnumerable<Outcome> outcomes)
    {
        Outcome[] drawn = [.. outcomes.Where(static outcome => outcome.IsMet is not null).Reverse()];
        var chart = new Chart("Against the goals: the line is the goal, right of it is better");
        var plot = chart.Plot;
        plot.Add.VerticalLine(0, width: 2, color: Colors.Black);
        for (var row = 0; row < drawn.Length; row++)
        {
            Draw(plot, drawn[row], row);
        }
        plot.Axes.Left.SetTicks([.. Enumerable.Range(0, drawn.Length).Select(row => (double)row)], [.. drawn.Select(Label)]);
        double[] steps = [.. Enumerable.Range(-(int)Steps, (2 * (int)Steps) + 1).Select(step => (double)step)];
        plot.Axes.Bottom.SetTicks(steps, [.. steps.Select(step => step == 0 ? "goal" : string.Create(CultureInfo.InvariantCulture, $"{Math.Pow(2, step):0.###}x"))]);
        plot.Axes.SetLimits(-Steps - 0.2, Steps + 0.2, -1, drawn.Length);
        plot.HideLegend();
        return chart.ToSvg(Width, (drawn.Length * RowHeight) + 80);
    }

    private static string Label(Outcome outcome) =>
        string.Create(CultureInfo.InvariantCulture, $"{outcome.Id}  {outcome.Ratio.Median:0.000} (goal {outcome.Goal})");

    private static void Draw(Plot plot, Outcome outcome, int row)
    {
        var goal = outcome.Goal!;
        var color = Color.FromHex(outcome.IsMet!.Value ? "#009e73" : "#d55e00");
        var range = plot.Add.Line(Step(outcome.Ratio.Low, goal), row, Step(outcome.Ratio.High, goal), row);
        range.LineWidth = 3;
        range.LineColor = color;
        range.MarkerSize = 0;
        plot.Add.Marker(Step(outcome.Ratio.Median, goal), row, size: 12, color: color);
    }

    // Above 0 if the goal is met. A time difference can be zero or less, which is as good as can be drawn.
    private static double Step(double value, Goal goal)
    {
        var ratio = goal.AtLeast ? value / goal.Value : goal.Value / Math.Max(value, 1e-9);
        return Math.Clamp(Math.Log2(ratio), -Steps, Steps);
    }
}
