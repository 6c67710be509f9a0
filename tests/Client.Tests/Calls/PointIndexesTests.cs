using Embeddings.Client.Calls;

namespace Embeddings.Client.Tests.Calls;

public sealed class PointIndexesTests
{
    [Theory]
    [InlineData("3", new[] { 3 })]
    [InlineData("0-2,7", new[] { 0, 1, 2, 7 })]
    [InlineData("bitmap:BQE=", new[] { 0, 2, 8 })]
    [InlineData("", new int[0])]
    [InlineData("2-1", new int[0])]
    [InlineData("0-10000", new int[0])]
    [InlineData("bitmap:?", new int[0])]
    public void Indexes_are_read_and_malformed_ones_ignored(string text, int[] expected) =>
        Assert.Equal(expected, PointIndexes.Parse(text));
}
