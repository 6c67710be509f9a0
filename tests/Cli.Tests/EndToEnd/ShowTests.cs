using Embeddings.Cli.Samples;
using Embeddings.Client;
using Embeddings.Testing;
using Embeddings.TestModels;
using Embeddings.V1;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>The commands that start a server of their own.</summary>
public sealed class ShowTests(RunningServer server) : IClassFixture<RunningServer>
{
    [Theory]
    [InlineData("image-embedding", 5)]
    [InlineData("face-embedding", 4)]
    [InlineData("image-store", 10)]
    [InlineData("face-store", 10)]
    public async Task A_demo_passes_its_own_checks(string demo, int steps)
    {
        var plain = await CommandResult.RunAsync("demo", demo, "--models", Descriptor.Folder);
        Assert.Equal((ExitCode.Done, "", steps), (plain.ExitCode, plain.Error, plain.Lines.Count));
        var json = await CommandResult.RunAsync("demo", demo, "--models", Descriptor.Folder, "--json");
        Assert.Equal(steps, json.Objects.Count);
        Assert.All(json.Objects, step => Assert.NotEmpty(step.GetProperty("step").GetString()!));
    }

    [Fact]
    public async Task Run_finds_the_samples_that_were_held_out_twice_on_the_same_store()
    {
        using var folder = new TempFolder();
        string[] arguments = ["run", "--once", "--grpc-port", "0", "--http-port", "0", "--data", folder.File("data"), "--models", Descriptor.Folder];
        var first = await CommandResult.RunAsync(arguments);
        Assert.Equal((ExitCode.Done, "rank-1 24/24"), (first.ExitCode, first.Lines[^1]));

        var second = await CommandResult.RunAsync([.. arguments, "--json"]);
        Assert.Equal(ExitCode.Done, second.ExitCode);
        Assert.Equal(24, second.Objects[^1].GetProperty("rank_1").GetInt32());
        Assert.Equal(24, second.Objects.Count(line => line.TryGetProperty("query", out _)));
    }

    [Theory]
    [InlineData("--once")]
    [InlineData]
    public async Task Run_leaves_a_store_to_the_data_and_the_model_of_the_user(params string[] once)
    {
        using var folder = new TempFolder();
        using var stop = new CancellationTokenSource();
        using var output = new SignalWriter("rank-1 24/24");
        var running = EmbeddingsCommand.RunAsync(
            ["run", .. once, "--grpc-port", "0", "--http-port", "-1", "--data", folder.File("data"), "--models", Descriptor.Folder],
            output,
            TextWriter.Null,
            stop.Token);
        await await Task.WhenAny(output.Seen, running);
        if (once.Length == 0)
        {
            await stop.CancelAsync();
        }
        Assert.Equal(ExitCode.Done, await running);

        // The default collections do not exist, so they take vectors of another dimension than the demonstration's.
        await using var withoutModels = await StartWithoutModelsAsync(folder.File("data"));
        Assert.Empty((await CommandResult.RunAsync("list", "--collections", "--json", "--address", withoutModels.Address)).Objects);
        using var client = EmbeddingsClient.ForAddress(withoutModels.Address);
        foreach (var kind in new[] { ItemKind.Image, ItemKind.Face })
        {
            var point = new VectorPoint { PointId = "1", Vector = { 1, 2, 3 } };
            var response = await client.UpsertVectorsAsync(new() { Collection = kind.Collection(), Points = { point } });
            Assert.Equal(1, response.UpsertedCount);
        }
    }

    [Fact]
    public async Task Run_without_models_searches_random_vectors_in_a_temporary_store()
    {
        var result = await CommandResult.RunAsync("run", "--once", "--models", "none");
        Assert.Equal((ExitCode.Done, "rank-1 24/24"), (result.ExitCode, result.Lines[^1]));
        Assert.DoesNotContain(result.Lines, line => line.StartsWith("model ", StringComparison.Ordinal));
        Assert.False(Directory.Exists("data"));
    }

    [Fact]
    public async Task Run_with_images_of_the_user_leaves_each_out_once()
    {
        using var folder = new TempFolder();
        foreach (var (subject, number) in ((int, int)[])[(1, 1), (1, 2), (2, 1), (2, 2), (3, 1)])
        {
            var sample = SampleSet.Get(ItemKind.Image, subject, number);
            var file = number == 1
                ? folder.File($"photos/{sample.Subject}__{number}.jpg")
                : folder.File($"photos/{sample.Subject}/{number}.jpg");
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await File.WriteAllBytesAsync(file, sample.Jpeg.ToArray());
        }
        await File.WriteAllTextAsync(folder.File("photos/scene-01__broken.jpg"), "nonsense");
        var result = await CommandResult.RunAsync(
            "run", "--once", "--photos", folder.File("photos"), "--data", folder.File("data"), "--grpc-port", "0", "--http-port", "-1", "--models", Descriptor.Folder);
        Assert.Equal((ExitCode.Done, "rank-1 4/4"), (result.ExitCode, result.Lines[^1]));
        Assert.Contains("not queried 1 subjects with one image: scene-03", result.Lines);
        Assert.Contains(result.ErrorLines, line => line.Contains("scene-01__broken.jpg", StringComparison.Ordinal));

        // Nothing of it stays in a store that was given.
        await using var withoutModels = await StartWithoutModelsAsync(folder.File("data"));
        Assert.Empty((await CommandResult.RunAsync("list", "--collections", "--json", "--address", withoutModels.Address)).Objects);
    }

    [Theory]
    [InlineData("--photos requires --once", "run", "--photos", "/no/such/folder")]
    [InlineData("does not exist", "run", "--once", "--photos", "/no/such/folder", "--models", "DESCRIPTORS")]
    [InlineData("the server has no image model", "run", "--once", "--photos", "/no/such/folder", "--models", "none")]
    [InlineData("is not a folder", "run", "--once", "--models", "/no/such/folder")]
    [InlineData("is not a folder", "serve", "--grpc-port", "0", "--http-port", "-1", "--models", "/no/such/folder")]
    public async Task Errors_of_run_and_serve_are_one_line(string reason, params string[] arguments)
    {
        var result = await CommandResult.RunAsync([.. arguments.Select(argument => argument == "DESCRIPTORS" ? Descriptor.Folder : argument)]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(reason, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [TrainedModelsFact]
    public async Task Run_with_the_default_models_finds_every_sample()
    {
        var result = await CommandResult.RunAsync("run", "--once");
        Assert.Equal((ExitCode.Done, "rank-1 24/24"), (result.ExitCode, result.Lines[^1]));
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task Run_with_the_default_models_matches_real_people_and_trees()
    {
        string[] photos = ["run", "--once", "--photos"];
        Assert.Equal("rank-1 27/27", (await CommandResult.RunAsync([.. photos, Material.Path("faces.jsonl"), "--kind", "face"])).Lines[^1]);
        Assert.Equal("rank-1 27/27", (await CommandResult.RunAsync([.. photos, Material.Path("crops"), "--kind", "face"])).Lines[^1]);
        var trees = Material.Path("images", "azure-samples", "CustomVision", "ImageClassification", "Images");
        Assert.Equal("rank-1 20/20", (await CommandResult.RunAsync([.. photos, trees])).Lines[^1]);
    }

    [Theory]
    [InlineData("serve")]
    [InlineData("run")]
    public async Task A_port_in_use_is_one_line(string command)
    {
        using var folder = new TempFolder();
        var port = new Uri(server.Address).Port;
        var result = await CommandResult.RunAsync(command, "--grpc-port", $"{port}", "--http-port", "0", "--data", folder.File("data"), "--models", Descriptor.Folder);
        Assert.Equal((ExitCode.Failed, ""), (result.ExitCode, result.Output));
        Assert.Contains($"{port}: address already in use", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_prints_its_address_and_stops_when_canceled()
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

    private static Task<Hosting.LocalServer> StartWithoutModelsAsync(string data) => Hosting.LocalServer.StartAsync(
        ["--Server:GrpcPort=0", "--Server:HttpPort=-1", $"--Store:Embedded:Directory={data}", "--Models:UseDefaults=false"],
        quiet: true,
        default);
}
