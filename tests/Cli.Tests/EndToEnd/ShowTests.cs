namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>The commands that start a server of their own.</summary>
public sealed class ShowTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Theory]
    [InlineData("image-embedding", 5)]
    [InlineData("face-embedding", 4)]
    [InlineData("image-store", 10)]
    [InlineData("face-store", 10)]
    public async Task A_demo_holds_what_it_claims(string demo, int steps)
    {
        var plain = await CommandResult.RunAsync("demo", demo);
        Assert.Equal((ExitCode.Done, "", steps), (plain.ExitCode, plain.Error, plain.Lines.Count));
        var json = await CommandResult.RunAsync("demo", demo, "--json");
        Assert.Equal(steps, json.Objects.Count);
        Assert.All(json.Objects, step => Assert.NotEmpty(step.GetProperty("step").GetString()!));
    }

    [Fact]
    public async Task Run_finds_what_was_held_out_and_again_on_the_same_store()
    {
        using var folder = new TempFolder();
        string[] arguments = ["run", "--once", "--grpc-port", "0", "--http-port", "0", "--data", folder.File("data")];
        var first = await CommandResult.RunAsync(arguments);
        Assert.Equal((ExitCode.Done, "rank-1 24/24"), (first.ExitCode, first.Lines[^1]));

        var second = await CommandResult.RunAsync([.. arguments, "--json"]);
        Assert.Equal(ExitCode.Done, second.ExitCode);
        Assert.Equal(24, second.Objects[^1].GetProperty("rank_1").GetInt32());
        Assert.Equal(24, second.Objects.Count(line => line.TryGetProperty("query", out _)));
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("run")]
    public async Task A_port_that_is_taken_is_one_line(string command)
    {
        using var folder = new TempFolder();
        var port = new Uri(server.Address).Port;
        var result = await CommandResult.RunAsync(command, "--grpc-port", $"{port}", "--http-port", "0", "--data", folder.File("data"));
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        Assert.Contains($"{port}: address already in use", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_says_where_it_is_and_ends_when_told()
    {
        using var folder = new TempFolder();
        using var stop = new CancellationTokenSource();
        using var output = new SignalWriter("\"grpc\"");
        var serving = EmbeddingsCommand.RunAsync(["serve", "--json", .. RunningServer.Settings(folder.File("data"))], output, TextWriter.Null, stop.Token);
        await Task.WhenAny(output.Seen, serving);
        var address = new CommandResult(0, output.ToString(), "").Objects[0].GetProperty("grpc").GetString()!;
        Assert.Equal(2, (await CommandResult.RunAsync("models", "--json", "--address", address)).Objects.Count);
        await stop.CancelAsync();
        Assert.Equal(ExitCode.Done, await serving);
    }

    private sealed class SignalWriter(string until) : StringWriter
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(until, StringComparison.Ordinal) == true)
            {
                _seen.TrySetResult();
            }
        }
    }
}
