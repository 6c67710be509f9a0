using System.Text.RegularExpressions;
using Embeddings.Testing;

namespace Embeddings.Storage.Qdrant.Tests;

public sealed partial class PointIdsTests
{
    [Fact]
    public void Ids_match_the_documented_test_vectors()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "qdrant-ids.md"));
        Assert.Contains(PointIds.Namespace.ToString(), page, StringComparison.Ordinal);
        var rows = Row().Matches(page);
        Assert.True(rows.Count >= 6, $"The page has only {rows.Count} test vectors.");
        Assert.All(rows, row => Assert.Equal(row.Groups["uuid"].Value, PointIds.Of(row.Groups["id"].Value).ToString()));
    }

    [Fact]
    public void Long_ids_are_hashed_completely()
    {
        Assert.Equal("0290cca6-2712-5c54-86b4-5d6b6aebdaa1", PointIds.Of(new string('a', 1024)).ToString());
        Assert.NotEqual(PointIds.Of(new string('é', 700)), PointIds.Of(new string('é', 701)));
    }

    [Fact]
    public void The_reserved_id_is_that_of_the_empty_id() => Assert.Equal("b157649d-7a6d-519a-a90e-c0798060f940", PointIds.Reserved.ToString());

    [GeneratedRegex(@"^\| `(?<id>[^`]+)` \| `(?<uuid>[0-9a-f-]{36})` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
