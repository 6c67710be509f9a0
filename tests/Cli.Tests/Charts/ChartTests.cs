using System.Xml.Linq;
using Embeddings.Cli.Charts;

namespace Embeddings.Cli.Tests.Charts;

public sealed class ChartTests
{
    private static readonly float[] Same = [0.62f, 0.72f, 0.73f, 0.99f];
    private static readonly float[] Different = [-0.18f, 0.01f, 0.05f, 0.05f, 0.31f];

    [Fact]
    public void Shares_sum_to_one_within_round_ends()
    {
        var histogram = new Histogram(Same, Different, 12);
        Assert.Equal((-0.2, 1.0), (histogram.Low, histogram.High));
        Assert.Equal(1, histogram.Same.Sum(), 1e-9);
        Assert.Equal(1, histogram.Different.Sum(), 1e-9);
        Assert.Equal(0.6, histogram.Different[2], 1e-9);
        Assert.Equal(0.5, histogram.At(0.4), 1e-9);
    }

    [Fact]
    public void All_alike_is_drawn_too()
    {
        var histogram = new Histogram([1f, 1f], [1f], 10);
        Assert.Equal(1, histogram.Same[^1], 1e-9);
        Assert.NotEmpty(PngChart.Draw(histogram, 1));
    }

    [Fact]
    public void The_terminals_lines_have_a_bar_for_every_bin_that_holds_a_pair()
    {
        var lines = TextChart.Lines(new Histogram(Same, Different, 12), 0.46).ToList();
        Assert.Equal(13, lines.Count);
        Assert.Equal(3, lines.Count(line => line.Contains('█', StringComparison.Ordinal)));
        Assert.Equal(3, lines.Count(line => line.Contains('░', StringComparison.Ordinal)));
        Assert.Contains("threshold 0.460", Assert.Single(lines, line => line.Contains("<-", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void The_svg_is_xml_with_a_bar_for_each_bin_of_each_sort()
    {
        var svg = XDocument.Parse(SvgChart.Draw(new Histogram(Same, Different, 12), 0.46, "a <b> & c"));
        XNamespace space = "http://www.w3.org/2000/svg";
        Assert.Equal(25, svg.Descendants(space + "rect").Count());
        Assert.Contains(svg.Descendants(space + "text"), text => text.Value == "a <b> & c");
    }

    [Fact]
    public void The_png_has_blue_where_the_same_are()
    {
        var png = PngChart.Draw(new Histogram(Same, Different, 12), 0.46);
        using var image = NetVips.Image.NewFromBuffer(png);
        Assert.Equal((800, 400), (image.Width, image.Height));
        var pixels = image.WriteToMemory<byte>();
        var colors = Enumerable.Range(366 * 800, 800).Select(at => (R: pixels[3 * at], B: pixels[(3 * at) + 2])).ToList();
        Assert.Contains(colors[..400], color => color.R > color.B + 50);
        Assert.Contains(colors[500..], color => color.B > color.R + 50);
    }
}
