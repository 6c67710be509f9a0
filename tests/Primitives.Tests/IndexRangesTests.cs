using Embeddings.Primitives;

namespace Embeddings.Primitives.Tests;

public sealed class IndexRangesTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("1", "0")]
    [InlineData("0111", "1-3")]
    [InlineData("1101011", "0-1,3,5-6")]
    public void Indexes_are_written_as_ranges(string set, string expected)
    {
        bool[] values = [.. set.Select(digit => digit == '1')];
        Assert.Equal(expected, IndexRanges.Format(values));
        Assert.Equal(values, IndexRanges.Parse(expected, values.Length));
    }

    [Fact]
    public void Any_set_is_restored_from_less_than_1700_characters()
    {
        var random = new Random(5);
        foreach (var count in (int[])[1, 7, 8, 9, 1000, 10_000])
        {
            foreach (var share in (double[])[0.001, 0.5, 0.999])
            {
                bool[] set = [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() < share)];
                var text = IndexRanges.Format(set);
                Assert.InRange(text.Length, 0, 1700);
                Assert.Equal(set, IndexRanges.Parse(text, count));
            }
        }
        Assert.StartsWith("bitmap:", IndexRanges.Format([.. Enumerable.Range(0, 10_000).Select(i => i % 2 == 0)]));
    }

    [Theory]
    [InlineData("4")]
    [InlineData("0-4")]
    [InlineData("2-1")]
    [InlineData("-1")]
    [InlineData("1-")]
    [InlineData("x")]
    [InlineData("bitmap:")]
    [InlineData("bitmap:?")]
    [InlineData("bitmap:AAAA")]
    public void A_text_of_another_form_is_none(string text) => Assert.Null(IndexRanges.Parse(text, 4));
}
