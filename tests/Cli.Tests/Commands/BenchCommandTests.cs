using System.Text;
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
        var page = await File.ReadAllTextAsync(report);
        var charts = page.Split("base64,")[1..].Select(part => XElement.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(part[..part.IndexOf('"')]))));
        Assert.Equal(3, charts.Count(chart => chart.Name.LocalName == "svg"));
    }

    [Theory]
    [InlineData("no-such-model", "--kind", "face", "The server has no model 'no-such-model'")]
    [InlineData("descriptor-image", "--kind", "face", "does not embed faces")]
    [InlineData("descriptor-image", "--jpeg", "640", "--jpeg must be WIDTHxHEIGHT")]
    public async Task Invalid_arguments_are_one_line(string model, string option, string value, string error)
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
