using System.Globalization;
using System.Xml.Linq;
using Embeddings.Cli.Benching;

namespace Embeddings.Cli.Tests.Benching;

public sealed class SvgPlotTests
{
    [Fact]
    public void A_line_has_a_circle_for_each_point_higher_for_larger_values()
    {
        var circles = Elements(Plot(bars: false, (1, 10), (2, 40), (4, 20)), "circle");
        Assert.Equal(3, circles.Count);
        double[] heights = [.. circles.Select(circle => Number(circle, "cy"))];
        Assert.True(heights[1] < heights[2] && heights[2] < heights[0]);
    }

    [Fact]
    public void With_a_logarithmic_axis_doublings_are_equally_far_apart()
    {
        double[] xs = [.. Elements(Plot(bars: false, (1, 1), (2, 1), (4, 1)), "circle").Select(circle => Number(circle, "cx"))];
        Assert.Equal(xs[1] - xs[0], xs[2] - xs[1], 1);
    }

    [Fact]
    public void Bars_are_as_high_as_their_values()
    {
        // The first rectangle is the background.
        double[] heights = [.. Elements(Plot(bars: true, (1, 10), (2, 20)), "rect").Skip(1).Select(bar => Number(bar, "height"))];
        Assert.Equal(heights[1], 2 * heights[0], 0.1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Few_points_are_still_a_plot(int count) =>
        Assert.NotEmpty(Elements(Plot(bars: false, [.. Enumerable.Repeat((1.0, 0.0), count)]), "text"));

    [Fact]
    public void Texts_are_texts()
    {
        var svg = new SvgPlot { Title = "<script>&", XLabel = "x", YLabel = "y", Series = [new("\"<b>", [(1, 1)])] }.Draw();
        Assert.Contains("<script>&", XElement.Parse(svg).Value, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>", svg, StringComparison.Ordinal);
    }

    private static string Plot(bool bars, params (double X, double Y)[] points) =>
        new SvgPlot { Title = "title", XLabel = "x", YLabel = "y", LogX = true, Bars = bars, Series = [new("", points)] }.Draw();

    private static List<XElement> Elements(string svg, string name) => [.. XElement.Parse(svg).Descendants().Where(element => element.Name.LocalName == name)];

    private static double Number(XElement element, string attribute) => double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);
}
