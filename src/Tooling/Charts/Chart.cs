using ScottPlot;
using SkiaSharp;

namespace Embeddings.Tooling.Charts;

/// <summary>A line, or a set of bars, of a chart.</summary>
/// <param name="Name">Name in the legend; empty for none.</param>
/// <param name="Points">The points, in order of x.</param>
internal sealed record Series(string Name, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Charts drawn with ScottPlot, as SVG or PNG.</summary>
internal sealed class Chart
{
    private const int MaxLabels = 12;

    // Distinguishable for people with color vision deficiency (Okabe and Ito, 2008).
    private static readonly Color[] Colors =
        [.. new[] { "#0072b2", "#d55e00", "#009e73", "#cc79a7" }.Select(Color.FromHex)];

    /// <summary>Creates an empty chart.</summary>
    public Chart(string title, string xLabel = "", string yLabel = "")
    {
        Plot.Font.Set(Fonts.Sans);
        Plot.Title(title, size: 14);
        Plot.XLabel(xLabel);
        Plot.YLabel(yLabel);
    }

    /// <summary>True if the machine has fonts. Without them, charts have no text.</summary>
    public static bool HasFonts => SKFontManager.Default.FontFamilyCount > 0;

    /// <summary>The plot, to add to it.</summary>
    public Plot Plot { get; } = new();

    /// <summary>Creates a line chart.</summary>
    /// <param name="title">Title.</param>
    /// <param name="xLabel">Label of the x axis.</param>
    /// <param name="yLabel">Label of the y axis.</param>
    /// <param name="logX">Whether the x axis is logarithmic.</param>
    /// <param name="series">The lines.</param>
    public static Chart Lines(string title, string xLabel, string yLabel, bool logX, params IReadOnlyList<Series> series)
    {
        var chart = new Chart(title, xLabel, yLabel);
        double X(double x) => logX ? Math.Log10(x) : x;
        for (var i = 0; i < series.Count; i++)
        {
            Coordinates[] points = [.. series[i].Points.Select(point => new Coordinates(X(point.X), point.Y))];
            var line = chart.Plot.Add.Scatter(points, Colors[i % Colors.Length]);
            line.LineWidth = 2;
            line.LegendText = series[i].Name;
        }
        if (logX)
        {
            var xs = series.SelectMany(line => line.Points).Select(point => point.X).Distinct().Order().ToArray();
            chart.Plot.Axes.Bottom.SetTicks([.. xs.Select(X)], [.. xs.Select(x => x.ToString("N0"))]);
        }
        if (series.Any(line => line.Name.Length > 0))
        {
            chart.Plot.ShowLegend(Alignment.UpperLeft);
        }
        return chart;
    }

    /// <summary>Creates a bar chart with one bar per point, evenly spaced.</summary>
    public static Chart Bars(string title, string xLabel, string yLabel, IReadOnlyList<(double X, double Y)> points)
    {
        var chart = new Chart(title, xLabel, yLabel);
        var bars = chart.Plot.Add.Bars(points.Select(point => point.Y).ToArray());
        bars.Color = Colors[0];
        var step = Math.Max(1, (points.Count + MaxLabels - 1) / MaxLabels);
        var labeled = Enumerable.Range(0, points.Count).Where(i => i % step == 0).ToList();
        chart.Plot.Axes.Bottom.SetTicks(
            [.. labeled.Select(i => (double)i)], [.. labeled.Select(i => $"{points[i].X:0.##}")]);
        chart.Plot.Axes.Margins(bottom: 0);
        return chart;
    }

    /// <summary>Creates a histogram of the cosines of same and different pairs.</summary>
    public static Chart Cosines(CosineHistogram histogram, double threshold, string title)
    {
        var chart = new Chart(title, "cosine", "share of pairs");
        var width = (histogram.High - histogram.Low) / histogram.Same.Count;
        var centers = Enumerable.Range(0, histogram.Same.Count).Select(i => histogram.Low + ((i + 0.5) * width)).ToList();
        var sets = new[] { ("different", histogram.Different, Colors[1]), ("same", histogram.Same, Colors[0]) };
        foreach (var (name, shares, color) in sets)
        {
            var bars = chart.Plot.Add.Bars(centers, shares);
            bars.LegendText = name;
            foreach (var bar in bars.Bars)
            {
                bar.Size = width;
                bar.LineWidth = 0;
                bar.FillColor = color.WithAlpha(0.6);
            }
        }
        var line = chart.Plot.Add.VerticalLine(threshold, color: ScottPlot.Colors.Black, pattern: LinePattern.Dashed);
        line.LegendText = FormattableString.Invariant($"threshold {threshold:0.000}");
        chart.Plot.Axes.Margins(bottom: 0);
        chart.Plot.ShowLegend(Alignment.UpperLeft);
        return chart;
    }

    /// <summary>Returns the chart as an SVG document.</summary>
    public string ToSvg(int width = 640, int height = 320) => Plot.GetSvgXml(width, height);

    /// <summary>Returns the chart as a PNG file.</summary>
    public byte[] ToPng(int width = 800, int height = 400) => Plot.GetImageBytes(width, height, ImageFormat.Png);
}
