using System.Text.Json;

namespace Embeddings.Cli.Tests;

/// <summary>Errors before a server is called.</summary>
public sealed class EmbeddingsCommandTests
{
    // A local port on which no server listens.
    private const string Unused = "127.0.0.1:1";

    [Theory]
    [InlineData("nonsense")]
    [InlineData("count --kind face -c a")]
    [InlineData("list --kind face -c a")]
    [InlineData("get a --kind face -c a")]
    [InlineData("delete a --kind face -c a")]
    [InlineData("search --point a --kind face -c a")]
    [InlineData("list --collections --kind face")]
    [InlineData("search --point a --landmarks 1,2")]
    [InlineData("embed")]
    [InlineData("embed a.jpg --kind cat")]
    [InlineData("embed a.jpg --kind 1")]
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
    [InlineData("serach", "'serach' is not a command of 'embeddings'. Did you mean 'search'? See embeddings --help.")]
    [InlineData("models ad", "'ad' is not a command of 'embeddings models'. Did you mean 'add'? See embeddings models --help.")]
    [InlineData("demo faces-store", "'faces-store' is not a command of 'embeddings demo'. Did you mean 'face-store'? See embeddings demo --help.")]
    [InlineData("store list", "'list' is not a command of 'embeddings store'. The commands are copy, verify, salvage, compact. See embeddings store --help.")]
    [InlineData("search --jsno a.jpg", "'--jsno' is not an option of 'embeddings search'. Did you mean '--json'? See embeddings search --help.")]
    [InlineData("embed a.jpg --kin face", "'--kin' is not an option of 'embeddings embed'. Did you mean '--kind'? See embeddings embed --help.")]
    [InlineData("delete a --jobid=b", "'--jobid' is not an option of 'embeddings delete'. Did you mean '--job-id'? See embeddings delete --help.")]
    [InlineData("serve --grp-port=1", "'--grp-port' is not an option of 'embeddings serve'. Did you mean '--grpc-port'? A setting of the server is --Section:Key=value.")]
    [InlineData("serve --Sever:GrpcPort=1", "Sever:GrpcPort is not a setting: there is no section Sever. Did you mean Server:GrpcPort?")]
    [InlineData("get -1", "'-1' is not an option of 'embeddings get'. Write -- before arguments that begin with a hyphen. See embeddings get --help.")]
    [InlineData("get a b", "Unexpected argument 'b'. See embeddings get --help.")]
    public async Task A_misspelt_command_or_option_is_named_with_the_nearest_one(string arguments, string message)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.Equal((ExitCode.Failed, "", $"embeddings: {message}"), (result.ExitCode, result.Output, Assert.Single(result.ErrorLines)));
    }

    [Theory]
    [InlineData("embed a.jpg --kind fase", "--kind must be image or face; got 'fase'. Did you mean 'face'?")]
    [InlineData("search --point a --limit many", "--limit must be an integer; got 'many'.")]
    [InlineData("search --point a --threshold high", "--threshold must be a number; got 'high'.")]
    [InlineData("search --point a --threshold 2", "--threshold must be between -1 and 1; got 2.")]
    [InlineData("search --point a --offset 10001", "--offset must be between 0 and 10000; got 10001.")]
    [InlineData("search --point a --group-size 2", "--group-size requires --group-by.")]
    public async Task A_wrong_value_of_an_option_is_an_error_without_types(string arguments, string message)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.StartsWith($"embeddings: {message} See embeddings ", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "search")]
    [InlineData("store", "salvage")]
    [InlineData("demo", "face-store")]
    public async Task A_missing_command_prints_the_help(string arguments, string command)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        Assert.Contains(result.ErrorLines, line => line.StartsWith($"{command} ", StringComparison.Ordinal));
        Assert.StartsWith("embeddings: A command is required.", result.ErrorLines[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--json", "ARGUMENT_INVALID", "A command is required.")]
    [InlineData("serach --json", "ARGUMENT_INVALID", "'serach' is not a command of 'embeddings'. Did you mean 'search'?")]
    [InlineData("ingest /no/such/folder --json", "COMMAND_FAILED", "File or directory '/no/such/folder' does not exist.")]
    [InlineData("serve --Server:GrpcPort=x --json", "SETTING_INVALID", "Server:GrpcPort must be between 0 and 65535; got 'x'.")]
    public async Task An_error_is_one_JSON_object_with_json(string arguments, string reason, string message)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        var error = JsonDocument.Parse(Assert.Single(result.ErrorLines)).RootElement.GetProperty("error");
        Assert.Equal((reason, message), (error.GetProperty("reason").GetString(), error.GetProperty("message").GetString()));
        Assert.Equal(JsonValueKind.Object, error.GetProperty("details").ValueKind);
    }

    [Fact]
    public async Task The_JSON_error_of_a_call_has_status_reason_and_address()
    {
        var result = await CommandResult.RunAsync("count", "--json", "--address", Unused);
        var error = JsonDocument.Parse(Assert.Single(result.ErrorLines)).RootElement.GetProperty("error");
        Assert.Equal((14, "UNAVAILABLE"), (error.GetProperty("code").GetInt32(), error.GetProperty("status").GetString()));
        Assert.Equal(Unused, error.GetProperty("details").GetProperty("address").GetString());
        Assert.StartsWith("No server responds", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_help_of_a_command_without_images_says_that_kind_selects_a_collection()
    {
        foreach (var command in (string[])["list", "count", "get", "delete"])
        {
            var help = await CommandResult.RunAsync(command, "--help");
            Assert.Contains("Use the default collection of this kind", help.Output, StringComparison.Ordinal);
        }
        Assert.Contains("Kind of the images", (await CommandResult.RunAsync("search", "--help")).Output, StringComparison.Ordinal);
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
