using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;

namespace Embeddings.IntegrationTests;

/// <summary>The <c>grpcurl</c> commands of README.md.</summary>
public sealed class GrpcurlTests
{
    private const string DocumentedAddress = "127.0.0.1:50051";

    [ToolFact("GRPCURL")]
    public async Task The_commands_of_the_README_work()
    {
        var lines = File.ReadLines(Path.Combine(Repository.Root, "README.md"))
            .Where(line => line.StartsWith("grpcurl ", StringComparison.Ordinal))
            .ToList();
        Assert.InRange(lines.Count, 3, int.MaxValue);
        Assert.All(lines, line => Assert.Contains(DocumentedAddress, line, StringComparison.Ordinal));
        await using var server = await TestServer.StartAsync();
        var address = new Uri(server.Address).Authority;
        var path = $"{Path.GetDirectoryName(Tool.Path("GRPCURL"))}:{Environment.GetEnvironmentVariable("PATH")}";
        foreach (var line in lines)
        {
            var command = line.Replace(DocumentedAddress, address, StringComparison.Ordinal);
            var (code, output) = await ChildProcess.RunAsync("sh", ["-c", command], Repository.Root, [new("PATH", path)]);
            Assert.True(code == 0 && output.Length > 0, $"{line}: exit code {code}: {output}");
        }
    }
}
