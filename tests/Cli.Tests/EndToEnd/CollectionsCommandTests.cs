using Embeddings.Cli.Samples;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>collections, attributes, and list with an order.</summary>
public sealed class CollectionsCommandTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Fact]
    public async Task Collections_are_created_shown_changed_and_named_twice()
    {
        var created = await server.RunAsync(
            "collections", "create", "made", "--dimension", "4", "--index", "year=number", "--index", "\"a.b\".c=text", "--retention", "2.5");
        Assert.Equal(ExitCode.Done, created.ExitCode);
        Assert.Equal("made: 4 dimensions, 0 points|  index \"a.b\".c=text|  index year=number|  retention 2.5 days|", created.Output.ReplaceLineEndings("|"));
        Assert.Contains("COLLECTION_EXISTS", (await server.RunAsync("collections", "create", "made", "--dimension", "4")).Error, StringComparison.Ordinal);

        await server.RunAsync("collections", "update", "made", "--drop-index", "year=number", "--retention", "0", "--approximate", "--links", "8");
        var shown = Assert.Single((await server.RunAsync("collections", "show", "made", "--json")).Objects);
        Assert.Equal("\"a.b\".c=text", Assert.Single(shown.GetProperty("indexed_attributes").EnumerateArray()).GetString());
        Assert.False(shown.TryGetProperty("retention_seconds", out _));
        Assert.Equal(8, shown.GetProperty("approximate_index").GetProperty("links").GetInt32());

        Assert.Equal("second -> made", Assert.Single((await server.RunAsync("collections", "alias", "set", "second", "made")).Lines));
        Assert.Equal(["alias\tcollection", "second\tmade"], (await server.RunAsync("collections", "alias")).Lines);
        Assert.EndsWith("  alias second", (await server.RunAsync("collections", "show", "second")).Output.TrimEnd(), StringComparison.Ordinal);
        Assert.Contains("made", (await server.RunAsync("collections")).Output, StringComparison.Ordinal);
        Assert.Equal("1 deleted", Assert.Single((await server.RunAsync("collections", "alias", "delete", "second")).Lines));
        Assert.Contains("ALIAS_NOT_FOUND", (await server.RunAsync("collections", "alias", "delete", "second")).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("collections create x", "Set either --dimension or --model.")]
    [InlineData("collections create x --dimension 2 --index year", "--index must be PATH=TYPE with the type text, number, flag, or time; got 'year'.")]
    [InlineData("collections create x --dimension 2 --index year=int", "got 'year=int'")]
    [InlineData("collections create x --dimension 2 --index a..b=text", "a name is missing")]
    [InlineData("collections create x --dimension 2 --index \"a=text", "without its second one")]
    [InlineData("collections create x --dimension 2 --retention 0", "--retention must be between 0.0001 and 36525; got 0.")]
    [InlineData("collections update x --links 8", "--links and --build-candidates require --approximate.")]
    [InlineData("attributes --set a=1", "Set either ids or conditions")]
    [InlineData("list --order-by size", "--order-by must be point-id, stored-at, confidence, or attribute:PATH; got 'size'.")]
    [InlineData("list --descending", "--descending requires --order-by.")]
    public async Task Mistakes_are_named(string arguments, string message)
    {
        var result = await server.RunAsync(arguments.Split(' '));
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Attributes_change_and_points_are_listed_in_order()
    {
        using var folder = new TempFolder();
        folder.Write("one.jpg", SampleSet.Get(ItemKind.Image, 1, 1).Jpeg.ToArray());
        var list = folder.Write("scenes.jsonl", """
            {"path": "one.jpg", "job_id": "job-1", "attributes": {"year": 2020, "tag": "a"}}
            {"path": "one.jpg", "job_id": "job-2", "attributes": {"year": 2024, "tag": "b"}}
            """);
        await server.RunAsync("collections", "create", "listed", "--model", "descriptor-image", "--index", "year=number");
        Assert.Equal(ExitCode.Done, (await server.RunAsync("ingest", list, "-c", "listed")).ExitCode);
        Assert.Equal(["job-2", "job-1"], await IdsAsync("list", "-c", "listed", "--order-by", "attribute:year", "--descending", "--json"));
        Assert.Equal("1 changed", Assert.Single((await server.RunAsync("attributes", "job-2", "-c", "listed", "--set", "year=2000", "--remove", "tag")).Lines));
        Assert.Equal(["job-2", "job-1"], await IdsAsync("list", "-c", "listed", "--order-by", "attribute:year", "--json"));
        Assert.Equal("1 changed", Assert.Single((await server.RunAsync("attributes", "--attribute", "tag=a", "-c", "listed", "--set", "seen=true", "--replace")).Lines));
        var point = Assert.Single((await server.RunAsync("get", "job-1", "-c", "listed", "--json")).Objects);
        Assert.Equal("""{"seen":true}""", point.GetProperty("attributes").GetRawText());
        Assert.Equal(["job-2", "job-1"], await IdsAsync("list", "-c", "listed", "--order-by", "point-id", "--descending", "--json"));
    }

    private async Task<List<string?>> IdsAsync(params string[] args) =>
        [.. (await server.RunAsync(args)).Objects.Select(item => item.GetProperty("point_id").GetString())];
}
