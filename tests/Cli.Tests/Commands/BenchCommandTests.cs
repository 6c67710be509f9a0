using System.Xml.Linq;
using Embeddings.Cli.Hosting;
using Embeddings.TestModels;

namespace Embeddings.Cli.Tests.Commands;

public sealed class BenchCommandTests
{
    [Fact]
    public async Task A_server_is_measured_and_the_report_written()
    {
        using var folder = new TempFolder();
        await using var server = await StartAsync(folder);
        var report = Path.Combine(folder.Path, "report.html");

        var result = await CommandResult.RunAsync(
            "bench", "--address", server.Address, "--kind", "face", "--seconds", "1", "--warm-up", "0", "--streams", "3", "--in-flight", "5", "--json",
            "--report", report);

        Assert.Equal(ExitCode.Done, result.ExitCode);
        var json = Assert.Single(result.Objects);
        var embedded = json.GetProperty("embedded").GetInt64();
        Assert.True(embedded > 0);
        Assert.Equal(0, json.GetProperty("failed").GetInt64());
        Assert.Equal(embedded, json.GetProperty("batches").EnumerateObject().Sum(batch => batch.Value.GetInt64()));
        Assert.All(json.GetProperty("batches").EnumerateObject(), batch => Assert.InRange(int.Parse(batch.Name), 1, 15));
        var latency = json.GetProperty("latency_ms");
        Assert.InRange(latency.GetProperty("p50").GetDouble(), 1e-3, latency.GetProperty("max").GetDouble());
        // The page's head is HTML; the plots are well-formed.
        var page = await File.ReadAllTextAsync(report);
        var plots = page.Split("<svg")[1..].Select(part => XElement.Parse("<svg" + part[..(part.IndexOf("</svg>", StringComparison.Ordinal) + 6)]));
        Assert.Equal(3, plots.Count());
    }

    [Theory]
    [InlineData("no-such-model", "--kind", "face", "the server has no model 'no-such-model'")]
    [InlineData("descriptor-image", "--kind", "face", "embeds no faces")]
    [InlineData("descriptor-image", "--jpeg", "640", "is not WIDTHxHEIGHT")]
    public async Task What_cannot_be_is_one_clear_line(string model, string option, string value, string error)
    {
        using var folder = new TempFolder();
        await using var server = await StartAsync(folder);
        var result = await CommandResult.RunAsync("bench", "--address", server.Address, "--model", model, option, value);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(error, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    private static Task<LocalServer> StartAsync(TempFolder folder) => LocalServer.StartAsync(
        ["--Server:Listen=127.0.0.1", "--Server:GrpcPort=0", "--Server:HttpPort=-1", $"--Store:Embedded:Directory={Path.Combine(folder.Path, "data")}", .. Descriptor.Settings],
        quiet: true,
        CancellationToken.None);
}
