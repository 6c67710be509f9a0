using System.Globalization;
using System.Text;

namespace Embeddings.Cli.Charts;

/// <summary>A histogram as SVG: scales to any size and can be searched.</summary>
internal static class SvgChart
{
    private const int Width = 800;
    private const int Height = 400;
    private const int Left = 50;
    private const int Bottom = 40;
    private const int Top = 40;

    /// <param name="histogram">What to draw.</param>
    /// <param name="threshold">Drawn as a line.</param>
    /// <param name="title">Any text.</param>
    public static string Draw(Histogram histogram, double threshold, string title)
    {
        var (plot, floor, bins) = (Width - Left - 10, Height - Bottom, histogram.Same.Count);
        var svg = new StringBuilder();
        svg.Append(CultureInfo.InvariantCulture,
            $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append(CultureInfo.InvariantCulture, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"18\" font-size=\"14\">{Escape(title)}</text>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left}\" y=\"34\"><tspan fill=\"#c8641e\">different</tspan> <tspan fill=\"#1e5ac8\">same</tspan></text>\n");
        foreach (var (shares, color) in new[] { (histogram.Different, "#c8641e"), (histogram.Same, "#1e5ac8") })
        {
            for (var bin = 0; bin < bins; bin++)
            {
                var height = shares[bin] / histogram.Highest * (floor - Top);
                svg.Append(CultureInfo.InvariantCulture,
                    $"<rect x=\"{Left + ((double)plot * bin / bins):0.##}\" y=\"{floor - height:0.##}\" width=\"{(double)plot / bins:0.##}\" height=\"{height:0.##}\" fill=\"{color}\" fill-opacity=\"0.6\"/>\n");
            }
        }
        for (var tick = Math.Round(histogram.Low, 1); tick <= histogram.High + 1e-9; tick += 0.1)
        {
            svg.Append(CultureInfo.InvariantCulture,
                $"<text x=\"{Left + (plot * histogram.At(tick)):0.##}\" y=\"{floor + 16}\" text-anchor=\"middle\">{tick + 0.0:0.0}</text>\n");
        }
        var at = Left + (plot * histogram.At(threshold));
        svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{at:0.##}\" x2=\"{at:0.##}\" y1=\"{Top}\" y2=\"{floor}\" stroke=\"black\" stroke-dasharray=\"4\"/>\n");
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{at:0.##}\" y=\"{Height - 6}\" text-anchor=\"middle\">threshold {threshold:0.000}</text>\n</svg>\n");
        return svg.ToString();
    }

    private static string Escape(string text) => System.Security.SecurityElement.Escape(text);
}
