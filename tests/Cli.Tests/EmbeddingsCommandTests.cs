namespace Embeddings.Cli.Tests;

/// <summary>Errors before a server is called.</summary>
public sealed class EmbeddingsCommandTests
{
    // A local port on which no server listens.
    private const string Unused = "127.0.0.1:1";

    [Theory]
    [InlineData("")]
    [InlineData("nonsense")]
    [InlineData("embed")]
    [InlineData("embed a.jpg --kind cat")]
    [InlineData("embed a.jpg --kind 1")]
    [InlineData("ingest x")]
    [InlineData("ingest x --kind image --max-bytes 0")]
    [InlineData("ingest /no/such/folder --kind image")]
    [InlineData("search")]
    [InlineData("search a.jpg --point b")]
    [InlineData("search --point a --limit 0")]
    [InlineData("search --point a --limit many")]
    [InlineData("search /no/such/file.jpg")]
    [InlineData("search a.jpg --landmarks 1,2")]
    [InlineData("search a.jpg --kind face --landmarks 1,2")]
    [InlineData("search --point a --attribute nonsense")]
    [InlineData("delete")]
    [InlineData("delete a --job-id b")]
    [InlineData("delete --whole-collection")]
    [InlineData("delete a --whole-collection -c b")]
    [InlineData("store copy --from qdrant --to qdrant")]
    [InlineData("store copy --from embedded --to qdrant --nonsense")]
    [InlineData("store verify --nonsense")]
    [InlineData("store verify --Store:Embedded:Directory=/no/such/folder")]
    [InlineData("store salvage")]
    [InlineData("serve --grpc-port 70000")]
    [InlineData("serve nonsense")]
    [InlineData("run --Server:GrpcPort")]
    [InlineData("demo")]
    [InlineData("demo nonsense")]
    [InlineData("count --address ::::")]
    public async Task Bad_arguments_are_one_line_and_exit_code_1(string arguments)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.StartsWith("embeddings: ", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("models")]
    [InlineData("count")]
    [InlineData("list")]
    [InlineData("get a")]
    [InlineData("delete a")]
    [InlineData("search --point a --json")]
    public async Task A_missing_server_is_one_line_with_its_address(string arguments)
    {
        var result = await CommandResult.RunAsync([.. arguments.Split(' '), "--address", Unused]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Equal("", result.Output);
        Assert.Contains(Unused, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_server_is_not_a_failure_of_the_items()
    {
        using var folder = new TempFolder();
        folder.Write("a.jpg", "1");
        var result = await CommandResult.RunAsync("ingest", folder.Path, "--kind", "image", "--address", Unused, "--failed", folder.File("f.jsonl"));
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(Unused, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("f.jsonl")));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("ingest --help")]
    [InlineData("--version")]
    public async Task Help_and_version_are_not_errors(string arguments)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
        Assert.NotEmpty(result.Lines);
        Assert.DoesNotContain("Embeddings.Cli ", result.Output, StringComparison.Ordinal);
    }
}
