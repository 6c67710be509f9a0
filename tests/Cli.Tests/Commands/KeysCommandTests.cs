using Embeddings.Server.Security;
using Embeddings.Testing;

namespace Embeddings.Cli.Tests.Commands;

public sealed class KeysCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string File => _folder.File("keys.json");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_key_is_created_shown_once_listed_and_revoked()
    {
        var created = await RunAsync("create", "pipeline", "--access", "write", "-c", "team-a-*", "-c", "b", "--expires", "2100-01-01T00:00:00Z", "--max-items", "50");
        Assert.Equal(ExitCode.Done, created.ExitCode);
        var key = Assert.Single(created.Lines);
        Assert.Matches("^emb_[A-Za-z0-9_-]{43}$", key);
        Assert.Contains("only time", Assert.Single(created.ErrorLines), StringComparison.Ordinal);
        var other = await RunAsync("create", "worker", "--access", "read", "--subject", "CN=worker-1,O=Example");
        Assert.Equal((ExitCode.Done, ""), (other.ExitCode, other.Error));

        // The file has the digest only.
        Assert.DoesNotContain(key, await System.IO.File.ReadAllTextAsync(File), StringComparison.Ordinal);
        var entry = KeysFile.Read(File)[0];
        Assert.Equal(AccessKey.DigestOf(key), entry.Digest);
        Assert.Equal(new CallerLimits(ItemsPerSecond: 50), entry.Limits);

        var digits = Convert.ToHexStringLower(AccessKey.DigestOf(key))[..8];
        var listed = await RunAsync("list");
        Assert.Equal($"pipeline\twrite\tteam-a-* b\t2100-01-01T00:00:00Z\t{digits}", listed.Lines[1]);
        Assert.Equal("worker\tread\t*\tnever\tCN=worker-1, O=Example", listed.Lines[2]);
        var json = await RunAsync("list", "--json");
        Assert.Equal(["pipeline", "write", digits, "team-a-*"], json.Objects[0].Texts("name", "access", "digest", "collections.0"));
        Assert.DoesNotContain(key, $"{listed.Output}{json.Output}", StringComparison.Ordinal);

        Assert.Equal("pipeline revoked", Assert.Single((await RunAsync("revoke", "pipeline")).Lines));
        Assert.Equal(["worker"], KeysFile.Read(File).Select(left => left.Name));
        var again = await RunAsync("revoke", "pipeline");
        Assert.Equal(ExitCode.Failed, again.ExitCode);
        Assert.Contains("has no key 'pipeline'", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_key_is_a_field_of_the_object()
    {
        var created = await RunAsync("create", "a", "--access", "manage", "--expires", "90d", "--json");
        var key = Assert.Single(created.Objects).GetProperty("key").GetString()!;
        Assert.Equal(AccessKey.DigestOf(key), KeysFile.Read(File)[0].Digest);
        var expires = KeysFile.Read(File)[0].Expires!.Value;
        Assert.InRange(expires - TimeProvider.System.GetUtcNow(), TimeSpan.FromDays(89), TimeSpan.FromDays(90));
    }

    [Theory]
    [InlineData("create a --access admin", "admin")]
    [InlineData("create a", "--access")]
    [InlineData("create a:b --access read", "The name must have 1 to 128 characters")]
    [InlineData("create a --access read -c x/y", "--collection must have characters of collection names, *, and ?; got 'x/y'.")]
    [InlineData("create a --access read --expires 2020-01-01", "--expires must be days such as 90d (1 to 36500), or a time in the future")]
    [InlineData("create a --access read --expires 0d", "--expires must be days")]
    [InlineData("create a --access read --max-items 0", "--max-items must be between 1 and")]
    [InlineData("create a --access read --subject nobody", "--subject must be a distinguished name")]
    [InlineData("create there --access read", "has a key 'there' already")]
    [InlineData("revoke nobody", "has no key 'nobody'")]
    public async Task Wrong_arguments_are_one_line_and_change_nothing(string arguments, string message)
    {
        Assert.Equal(ExitCode.Done, (await RunAsync("create", "there", "--access", "read")).ExitCode);
        var before = await System.IO.File.ReadAllTextAsync(File);
        var result = await RunAsync(arguments.Split(' '));
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.Equal(before, await System.IO.File.ReadAllTextAsync(File));
    }

    [Fact]
    public async Task A_broken_or_missing_file_is_one_line()
    {
        Assert.Contains($"{File} does not exist.", Assert.Single((await RunAsync("list")).ErrorLines), StringComparison.Ordinal);
        Assert.Contains($"{File} does not exist.", Assert.Single((await RunAsync("revoke", "a")).ErrorLines), StringComparison.Ordinal);
        _folder.Write("keys.json", "{");
        foreach (var arguments in (string[])["list", "revoke a", "create a --access read"])
        {
            var result = await RunAsync(arguments.Split(' '));
            Assert.Equal(ExitCode.Failed, result.ExitCode);
            Assert.Contains("is not valid JSON", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        }
        Assert.Contains("--file is required", Assert.Single((await CommandResult.RunAsync("keys", "list")).ErrorLines), StringComparison.Ordinal);
    }

    private Task<CommandResult> RunAsync(params string[] args) => CommandResult.RunAsync(["keys", .. args, "--file", File]);
}
