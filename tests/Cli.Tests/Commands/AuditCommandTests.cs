using Embeddings.Primitives.Auditing;
using Embeddings.Server.Audit;

namespace Embeddings.Cli.Tests.Commands;

/// <summary>audit verify and audit digest.</summary>
public sealed class AuditCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Log => _folder.File("audit.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Verify_names_the_file_and_the_line()
    {
        Write("");
        var intact = await CommandResult.RunAsync("audit", "verify", Log);
        Assert.Equal(ExitCode.Done, intact.ExitCode);
        Assert.EndsWith("The log is intact.", intact.Lines[^1], StringComparison.Ordinal);
        var hash = intact.Lines[^2].Split(' ')[^1];
        Assert.Equal(ExitCode.Done, (await CommandResult.RunAsync("audit", "verify", Log, "--expect", hash)).ExitCode);

        File.WriteAllText(Log, File.ReadAllText(Log).Replace("caller-2", "caller-X", StringComparison.Ordinal));
        var changed = await CommandResult.RunAsync("audit", "verify", Log);
        Assert.Equal(ExitCode.Failed, changed.ExitCode);
        Assert.StartsWith($"{Log}, line 4: the line (seq 4) was changed", changed.Lines[0], StringComparison.Ordinal);
        var json = await CommandResult.RunAsync("--json", "audit", "verify", Log);
        Assert.Equal(4, json.Objects[0].GetProperty("line").GetInt64());
        Assert.False(json.Objects[^1].GetProperty("intact").GetBoolean());
    }

    [Fact]
    public async Task Verify_needs_the_key_of_the_log()
    {
        var key = _folder.Write("key", new string('k', 32));
        Write(key);
        Assert.Equal(ExitCode.Done, (await CommandResult.RunAsync("audit", "verify", Log, "--key", key)).ExitCode);
        Assert.Equal(ExitCode.Failed, (await CommandResult.RunAsync("audit", "verify", Log)).ExitCode);

        var none = await CommandResult.RunAsync("audit", "verify", Log, "--key", _folder.Write("short", "k"));
        Assert.Equal(ExitCode.Failed, none.ExitCode);
        Assert.Contains("at least 32 bytes; got 1", none.Error, StringComparison.Ordinal);
        Assert.Contains("There is no file 'none'", (await CommandResult.RunAsync("audit", "verify", "none")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Digest_prints_the_digest_of_the_lines()
    {
        var digest = await CommandResult.RunAsync("audit", "digest", "a", "b");
        Assert.Equal(AuditDigest.Of(["a", "b"]), Assert.Single(digest.Lines));
    }

    private void Write(string key)
    {
        using var file = new AuditFile(new() { File = Log, KeyFile = key }, TimeProvider.System);
        for (var i = 0; i < 5; i++)
        {
            file.Append([new("call", DateTimeOffset.UnixEpoch) { Caller = $"caller-{i}" }]);
        }
    }
}
