namespace Embeddings.Primitives.Tests;

public sealed class NearestNameTests
{
    private static readonly string[] Known = ["search", "serve", "list", "get", "delete", "media_store_id", "--collection"];

    [Theory]
    [InlineData("serach", "search")]
    [InlineData("SERVE", "serve")]
    [InlineData("lst", "list")]
    [InlineData("gte", "get")]
    [InlineData("mediaStoreId", "media_store_id")]
    [InlineData("de", "delete")]
    [InlineData("--coll", "--collection")]
    [InlineData("nonsense", null)]
    [InlineData("x", null)]
    [InlineData("", null)]
    public void A_misspelt_or_shortened_name_has_a_nearest_one(string name, string? nearest) =>
        Assert.Equal(nearest, NearestName.Of(name, Known));

    [Fact]
    public void The_name_with_the_fewest_changes_wins() =>
        Assert.Equal("Server:GrpcPort", NearestName.Of("Sever:GrpcPort", ["Server:HttpPort", "Server:GrpcPort"]));
}
