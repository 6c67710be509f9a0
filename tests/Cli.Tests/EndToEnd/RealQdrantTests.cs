using System.Text.RegularExpressions;
using Embeddings.Testing;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>The command with vectors in a real Qdrant.</summary>
public sealed partial class RealQdrantTests
{
    [ToolFact("QDRANT_BINARY")]
    public async Task Run_once_finds_every_sample_in_Qdrant()
    {
        using var folder = new TempFolder();
        await using var qdrant = await QdrantNode.StartAsync();
        var result = await CommandResult.RunAsync(
            "run", "--once", "--store", "qdrant", "--grpc-port", "0", "--http-port", "-1", "--data", folder.File("data"), $"--Store:Qdrant:Url={qdrant.Address}");
        Assert.True(result.ExitCode == ExitCode.Done, result.Error);
        Assert.Matches(AllFound(), result.Lines[^1]);
    }

    [GeneratedRegex(@"^rank-1 ([1-9]\d*)/\1$")]
    private static partial Regex AllFound();
}
