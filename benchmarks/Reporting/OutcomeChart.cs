using System.Globalization;
using System.Net;
using System.Text;
using Embeddings.Benchmarks.Measuring;

namespace Embeddings.Benchmarks.Reporting;

/// <summary>
/// All outcomes with a goal as one SVG: how far each is from its goal. To the right of the middle line is better, whichever way the goal goes; twice as good
/// is one step.
/// </summary>
internal static class OutcomeChart
{
    private const double Width = 760;
    private const double Row = 28;
    private const double Left = 210;
    private const double Right = 40;
    private const double Top = 50;
    // Steps of two on each side of the goal.
    private const double Steps = 3;

    public static string Draw(IEnumerable<Outcome> outcomes)
    {
        Outcome[] drawn = [.. outcomes.Where(static outcome => outcome.Goal is not null)];
        var height = Top + (drawn.Length * Row) + 30;
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" ");
        svg.Append(CultureInfo.InvariantCulture, $"width=\"{Width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{height}\" fill=\"#ffffff\"/>\n");
        Text(svg, Width / 2, 20, "Against the goals: the line is the goal, right of it is better", "middle");
        for (var step = -Steps; step <= Steps; step++)
        {
            var x = X(Math.Pow(2, step));
            Line(svg, x, Top - 10, x, height - 25, step == 0 ? "#333333" : "#dddddd", step == 0 ? 2 : 1);
            Text(svg, x, height - 8, step == 0 ? "goal" : string.Create(CultureInfo.InvariantCulture, $"{Math.Pow(2, step):0.###}x"), "middle");
        }
        for (var i = 0; i < drawn.Length; i++)
        {
            Draw(svg, drawn[i], Top + ((i + 0.5) * Row));
        }
        return svg.Append("</svg>\n").ToString();
    }

    private static void Draw(StringBuilder svg, Outcome outcome, double y)
    {
        var goal = outcome.Goal!;
        var color = outcome.IsMet!.Value ? "#009e73" : "#d55e00";
        var label = string.Create(CultureInfo.InvariantCulture, $"{outcome.Id}  {outcome.Ratio.Median:0.000} (goal {goal})");
        Text(svg, Left - 10, y + 4, label, "end");
        Line(svg, X(Goodness(outcome.Ratio.Low, goal)), y, X(Goodness(outcome.Ratio.High, goal)), y, color, 3);
        svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(Goodness(outcome.Ratio.Median, goal)):0.##}\" cy=\"{y:0.##}\" r=\"6\" fill=\"{color}\"/>\n");
    }

    // Above 1 where the goal is met. A time difference may be nothing or less: as good as can be drawn.
    private static double Goodness(double value, Goal goal) =>
        goal.AtLeast ? value / goal.Value : value <= 0 ? double.PositiveInfinity : goal.Value / value;

    private static double X(double goodness)
    {
        var step = Math.Clamp(Math.Log2(goodness), -Steps, Steps);
        return Left + ((Width - Left - Right) * (step + Steps) / (2 * Steps));
    }

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string color, double width) => svg.Append(
        CultureInfo.InvariantCulture,
        $"<line x1=\"{x1:0.##}\" y1=\"{y1:0.##}\" x2=\"{x2:0.##}\" y2=\"{y2:0.##}\" stroke=\"{color}\" stroke-width=\"{width}\"/>\n");

    private static void Text(StringBuilder svg, double x, double y, string text, string anchor) => svg.Append(
        CultureInfo.InvariantCulture,
        $"<text x=\"{x:0.##}\" y=\"{y:0.##}\" text-anchor=\"{anchor}\" fill=\"#333333\">{WebUtility.HtmlEncode(text)}</text>\n");
}
