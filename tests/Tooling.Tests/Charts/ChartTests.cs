using System.Globalization;
using System.Xml.Linq;
using Embeddings.Tooling.Charts;
using NetVips;

namespace Embeddings.Tooling.Tests.Charts;

public sealed class ChartTests
{
    private static readonly float[] Same = [0.62f, 0.72f, 0.73f, 0.99f];
    private static readonly float[] Different = [-0.18f, 0.01f, 0.05f, 0.05f, 0.31f];

    [Fact]
    public void Shares_sum_to_one_between_round_ends()
    {
        var histogram = new CosineHistogram(Same, Different, 12);
        Assert.Equal((-0.2, 1.0), (histogram.Low, histogram.High));
        Assert.Equal(1, histogram.Same.Sum(), 1e-9);
        Assert.Equal(1, histogram.Different.Sum(), 1e-9);
        Assert.Equal(0.6, histogram.Different[2], 1e-9);
        Assert.Equal(0.5, histogram.At(0.4), 1e-9);
    }

    [Fact]
    public void Equal_cosines_have_a_chart()
    {
        var histogram = new CosineHistogram([1f, 1f], [1f], 10);
        Assert.Equal(1, histogram.Same[^1], 1e-9);
        Assert.NotEmpty(Chart.Cosines(histogram, 1, "").ToPng());
    }

    [Fact]
    public void The_png_has_orange_for_different_and_blue_for_same_pairs()
    {
        using var image = Image.NewFromBuffer(Chart.Cosines(new CosineHistogram(Same, Different, 12), 0.46, "").ToPng());
        Assert.Equal((800, 400), (image.Width, image.Height));
        var pixels = image.WriteToMemory<byte>();
        // A row near the foot of the bars.
        var row = Enumerable.Range(330 * 800, 800).Select(at => (R: pixels[image.Bands * at], B: pixels[(image.Bands * at) + 2])).ToList();
        Assert.Contains(row[..400], color => color.R > color.B + 50);
        Assert.Contains(row[500..], color => color.B > color.R + 50);
    }

    [Fact]
    public void Bars_are_as_high_as_their_values()
    {
        var heights = Rectangles(Chart.Bars("title", "x", "y", [(1, 10), (2, 20)]))
            .Select(bar => double.Parse(bar.Attribute("height")!.Value, CultureInfo.InvariantCulture))
            .ToList();
        Assert.Equal(heights[1], 2 * heights[0], 0.1);
    }

    [Fact]
    public void On_a_logarithmic_axis_doublings_are_equally_far_apart()
    {
        var xs = Elements(Chart.Lines("title", "x", "y", logX: true, new Series("", [(1, 1), (2, 3), (4, 2)])), "ellipse")
            .Select(point => double.Parse(point.Attribute("cx")!.Value, CultureInfo.InvariantCulture))
            .ToList();
        Assert.Equal(3, xs.Count);
        Assert.Equal(xs[1] - xs[0], xs[2] - xs[1], 0.1);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Charts_of_few_points_are_drawn(int count)
    {
        List<(double X, double Y)> points = [.. Enumerable.Repeat((1.0, 0.0), count)];
        Assert.NotEmpty(Elements(Chart.Bars("title", "x", "y", points), "path"));
        Assert.NotEmpty(Elements(Chart.Lines("title", "x", "y", logX: true, new Series("name", points)), "path"));
    }

    [Fact]
    public void Markup_in_titles_is_text()
    {
        var svg = Chart.Bars("<script>&", "x", "y", [(1, 1)]).ToSvg();
        Assert.DoesNotContain("<script>", svg, StringComparison.Ordinal);
        Assert.NotNull(XElement.Parse(svg));
    }

    // Bars without their outlines.
    private static IEnumerable<XElement> Rectangles(Chart chart) =>
        Elements(chart, "rect").Where(rectangle => rectangle.Attribute("fill")?.Value == "#0072B2");

    private static IEnumerable<XElement> Elements(Chart chart, string name) =>
        XElement.Parse(chart.ToSvg()).Descendants().Where(element => element.Name.LocalName == name);
}
