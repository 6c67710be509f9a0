using Embeddings.Testing;
using Embeddings.TestModels;

namespace Embeddings.Cli.Tests.Commands;

/// <summary>What the subcommands of <c>models</c> do on this machine, without a server.</summary>
public sealed class ModelsCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static string FaceModel => Material.Path("models", "mobilefacenet128_foamliu_fp32_dynbatch.onnx");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Presets_are_listed_with_their_sources()
    {
        var result = await CommandResult.RunAsync("models", "presets");
        Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
        Assert.Contains(result.Lines, line => line.Contains("insightface-arcface", StringComparison.Ordinal));
        Assert.Contains(result.Lines, line => line.Contains("Source: ", StringComparison.Ordinal));
        Assert.Equal(8, (await CommandResult.RunAsync("models", "presets", "--json")).Objects.Count);
    }

    [Theory]
    [InlineData("models add /no/such/file.onnx", "there is no file")]
    [InlineData("models add a.onnx --color-order green", "--color-order is rgb or bgr")]
    [InlineData("models add a.onnx --mean 1,2", "--mean is three numbers")]
    [InlineData("models add a.onnx --size 224", "--size is WIDTHxHEIGHT")]
    [InlineData("models check nonsense", "there is no model 'nonsense'")]
    public async Task What_cannot_be_is_one_line(string arguments, string reason)
    {
        var result = await CommandResult.RunAsync(arguments.Split(' '));
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(reason, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pictures_that_are_not_there_are_one_line()
    {
        var result = await CommandResult.RunAsync("models", "check", Descriptor.FaceModel, "/no/such/folder", "--models", Descriptor.Folder);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains("there is no folder or file", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [TrainedModelsFact]
    public async Task The_default_models_are_found_by_name()
    {
        foreach (var name in (string[])["resnet18", "mobilefacenet"])
        {
            var result = await CommandResult.RunAsync("models", "check", name);
            Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
            Assert.StartsWith($"{name}: loads", Assert.Single(result.Lines), StringComparison.Ordinal);
        }
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task The_default_models_pass_the_check_on_real_images_without_a_warning()
    {
        (string Name, string Pictures, double MostErrors)[] checks =
        [
            ("mobilefacenet", Material.Path("faces.jsonl"), 0),
            ("mobilefacenet", Material.Path("crops"), 0),
            ("resnet18", Material.Path("images", "azure-samples", "CustomVision", "ImageClassification", "Images"), 0.06),
        ];
        foreach (var (name, pictures, mostErrors) in checks)
        {
            var result = await CommandResult.RunAsync("models", "check", name, pictures, "--json");
            Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
            var figures = Assert.Single(result.Objects);
            Assert.Equal(1, figures.GetProperty("rank1").GetDouble());
            Assert.InRange(figures.GetProperty("equal_error_rate").GetDouble(), 0, mostErrors);
            Assert.False(figures.GetProperty("swapped_is_better").GetBoolean());
        }
    }

    [Fact]
    public async Task A_file_that_is_no_model_is_one_line()
    {
        var result = await CommandResult.RunAsync("models", "add", _folder.Write("a.onnx", "nonsense"), "--to", _folder.Path, "--preset", "adaface");
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.StartsWith("embeddings: a.onnx: ", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [MaterialFact]
    public async Task A_model_is_added_checked_and_gets_its_threshold()
    {
        var to = _folder.File("models");
        var added = await CommandResult.RunAsync("models", "add", FaceModel, "--preset", "mobilefacenet-imagenet", "--name", "faces", "--to", to, "--licence", "Apache-2.0");
        Assert.Equal((ExitCode.Done, ""), (added.ExitCode, added.Error));

        string[] check = ["models", "check", "faces", Material.Path("faces.jsonl"), "--models", to];
        var result = await CommandResult.RunAsync([.. check, "--json", "--charts", to, "--write-threshold"]);
        Assert.Equal(ExitCode.Done, result.ExitCode);
        var figures = Assert.Single(result.Objects);
        Assert.Equal(29, figures.GetProperty("pictures").GetInt32());
        Assert.InRange(figures.GetProperty("equal_error_rate").GetDouble(), 0, 0.1);
        Assert.InRange(figures.GetProperty("rank1").GetDouble(), 0.9, 1);
        Assert.InRange(figures.GetProperty("batch_cosine").GetDouble(), 0.99999, 1.00001);
        Assert.True(new FileInfo(Path.Combine(to, "faces.png")).Length > 500);
        Assert.Contains("<svg", File.ReadAllText(Path.Combine(to, "faces.svg")), StringComparison.Ordinal);
        var threshold = figures.GetProperty("threshold").GetDouble();
        Assert.Contains($"\"suggested_threshold\": {Math.Round(threshold, 3)}", File.ReadAllText(Path.Combine(to, "faces.json")), StringComparison.Ordinal);
    }

    [MaterialFact]
    public async Task A_wrong_colour_order_is_seen()
    {
        var to = _folder.File("models");
        await CommandResult.RunAsync("models", "add", FaceModel, "--preset", "mobilefacenet-imagenet", "--name", "faces", "--to", to, "--color-order", "bgr");
        var wrong = await CommandResult.RunAsync("models", "check", "faces", Material.Path("faces.jsonl"), "--models", to);
        Assert.Contains("red and blue swapped", wrong.Error, StringComparison.Ordinal);
        Assert.Contains(wrong.Lines, line => line.Contains("<- threshold", StringComparison.Ordinal));
    }
}
