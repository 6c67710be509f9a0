using System.Globalization;
using System.Net;
using System.Text;

namespace Embeddings.Cli.Benching;

/// <summary>Draws a plot as SVG, to stand alone or within HTML: no scripts, no fonts, legible on light and dark pages.</summary>
internal sealed class SvgPlot
{
    private const double Width = 640;
    private const double Height = 320;
    private const double Left = 70;
    private const double Right = 20;
    private const double Top = 40;
    private const double Bottom = 50;
    private const int Ticks = 5;

    // Told apart by people who see red and green alike (Okabe and Ito, 2008).
    private static readonly string[] Colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

    public required string Title { get; init; }

    public required string XLabel { get; init; }

    public required string YLabel { get; init; }

    public required IReadOnlyList<Series> Series { get; init; }

    /// <summary>Whether each step along x is ten times (or twice) the last.</summary>
    public bool LogX { get; init; }

    /// <summary>Whether points are columns of their own instead of a line's.</summary>
    public bool Bars { get; init; }

    /// <summary>The <c>svg</c> element.</summary>
    public string Draw()
    {
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" ");
        svg.Append(CultureInfo.InvariantCulture, $"width=\"{Width}\" height=\"{Height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"#ffffff\"/>\n");
        Text(svg, Width / 2, 20, Title, "middle", 14);
        Text(svg, Width / 2, Height - 10, XLabel, "middle");
        Text(svg, 8, Top - 8, YLabel, "start");
        Axes(svg);
        for (var i = 0; i < Series.Count; i++)
        {
            Draw(svg, Series[i], Colors[i % Colors.Length], i);
        }
        return svg.Append("</svg>\n").ToString();
    }

    private double MaxY => Nice(Series.SelectMany(static series => series.Points).Select(static point => point.Y).DefaultIfEmpty(1).Max());

    private double[] Xs => [.. Series.SelectMany(static series => series.Points).Select(static point => point.X).Distinct().Order()];

    private void Axes(StringBuilder svg)
    {
        var max = MaxY;
        for (var i = 0; i <= Ticks; i++)
        {
            var value = max * i / Ticks;
            Line(svg, Left, Y(value, max), Width - Right, Y(value, max), i == 0 ? "#333333" : "#dddddd");
            Text(svg, Left - 8, Y(value, max) + 4, Short(value), "end");
        }
        // Where there are many, some are named.
        var xs = Xs;
        var step = (xs.Length + 9) / 10;
        for (var i = 0; i < xs.Length; i += Math.Max(1, step))
        {
            Text(svg, X(xs[i], xs), Height - Bottom + 16, Short(xs[i]), "middle");
        }
    }

    private void Draw(StringBuilder svg, Series series, string color, int index)
    {
        var (max, xs) = (MaxY, Xs);
        if (Bars)
        {
            var width = Math.Min(40, (Width - Left - Right) / Math.Max(1, xs.Length) * 0.7);
            foreach (var (x, y) in series.Points)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{X(x, xs) - (width / 2):0.##}\" y=\"{Y(y, max):0.##}\" ");
                svg.Append(CultureInfo.InvariantCulture, $"width=\"{width:0.##}\" height=\"{Y(0, max) - Y(y, max):0.##}\" fill=\"{color}\"/>\n");
            }
        }
        else
        {
            var points = series.Points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.X, xs):0.##},{Y(point.Y, max):0.##}"));
            svg.Append(CultureInfo.InvariantCulture, $"<polyline points=\"{string.Join(' ', points)}\" ");
            svg.Append(CultureInfo.InvariantCulture, $"fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n");
            foreach (var (x, y) in series.Points)
            {
                svg.Append(CultureInfo.InvariantCulture, $"<circle cx=\"{X(x, xs):0.##}\" cy=\"{Y(y, max):0.##}\" r=\"3\" fill=\"{color}\"/>\n");
            }
        }
        if (series.Name.Length > 0)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left + 10}\" y=\"{Top + 4 + (index * 16)}\" width=\"10\" height=\"10\" fill=\"{color}\"/>\n");
            Text(svg, Left + 26, Top + 13 + (index * 16), series.Name, "start");
        }
    }

    private double X(double value, double[] xs)
    {
        var (first, last) = (xs[0], xs[^1]);
        var room = Width - Left - Right;
        if (Bars)
        {
            return Left + ((Array.IndexOf(xs, value) + 0.5) * room / xs.Length);
        }
        if (first == last)
        {
            return Left + (room / 2);
        }
        return Left + (room * (LogX ? Math.Log(value / first) / Math.Log(last / first) : (value - first) / (last - first)));
    }

    private static double Y(double value, double max) => Top + ((Height - Top - Bottom) * (1 - (value / max)));

    // Something round above it, so that the ticks are round too.
    private static double Nice(double value)
    {
        if (value <= 0 || !double.IsFinite(value))
        {
            return 1;
        }
        var power = Math.Pow(10, Math.Floor(Math.Log10(value)));
        return new[] { 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 }.First(step => value <= step * power * (1 + 1e-9)) * power;
    }

    private static string Short(double value) =>
        value >= 1e6 ? (value / 1e6).ToString("0.##M", CultureInfo.InvariantCulture)
        : value >= 1e4 ? (value / 1e3).ToString("0.##k", CultureInfo.InvariantCulture)
        : value.ToString(value >= 100 ? "0" : "0.##", CultureInfo.InvariantCulture);

    private static void Line(StringBuilder svg, double x1, double y1, double x2, double y2, string color) =>
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{x1:0.##}\" y1=\"{y1:0.##}\" x2=\"{x2:0.##}\" y2=\"{y2:0.##}\" stroke=\"{color}\"/>\n");

    private static void Text(StringBuilder svg, double x, double y, string text, string anchor, int size = 12) => svg.Append(
        CultureInfo.InvariantCulture,
        $"<text x=\"{x:0.##}\" y=\"{y:0.##}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#333333\">{WebUtility.HtmlEncode(text)}</text>\n");
}
