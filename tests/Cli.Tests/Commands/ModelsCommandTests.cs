using Embeddings.Testing;
using Embeddings.TestModels;

namespace Embeddings.Cli.Tests.Commands;

/// <summary>Subcommands of <c>models</c> that need no server.</summary>
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
        Assert.Contains(result.Lines, line => line.Contains("Sources: ", StringComparison.Ordinal));
        Assert.Equal(19, (await CommandResult.RunAsync("models", "presets", "--json")).Objects.Count);
    }

    [Theory]
    [InlineData("models add /no/such/file.onnx", "does not exist")]
    [InlineData("models add a.onnx --color-order green", "--color-order must be rgb or bgr")]
    [InlineData("models add a.onnx --mean 1,2", "--mean must be three numbers")]
    [InlineData("models add a.onnx --size 224", "--size must be WIDTHxHEIGHT")]
    [InlineData("models add a.onnx --kind pose", "needs a manifest with the section 'pose'")]
    [InlineData("models add a.onnx --kind detector", "--kind detector needs a preset: blazeface, scrfd, ultralight, yunet")]
    [InlineData("models check nonsense", "Model 'nonsense' does not exist")]
    public async Task Invalid_arguments_are_one_line(string arguments, string reason)
    {
        var model = Descriptor.PathOf(Descriptor.FaceModel);
        var result = await CommandResult.RunAsync([.. arguments.Split(' ').Select(word => word == "a.onnx" ? model : word)]);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(reason, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_images_are_one_line()
    {
        var result = await CommandResult.RunAsync("models", "check", Descriptor.FaceModel, "/no/such/folder", "--models", Descriptor.Folder);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains("does not exist", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [TrainedModelsFact]
    public async Task The_default_models_are_found_by_name()
    {
        foreach (var name in (string[])["resnet18", "mobilefacenet", "ultraface", "landmarks68"])
        {
            var result = await CommandResult.RunAsync("models", "check", name);
            Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
            Assert.StartsWith($"{name}: loads", Assert.Single(result.Lines), StringComparison.Ordinal);
        }
    }

    [TrainedModelsFact(NeedsMaterial = true)]
    public async Task The_default_models_pass_the_check_on_real_images_without_a_warning()
    {
        (string Name, string Images, double MaxErrors)[] checks =
        [
            ("mobilefacenet", Material.Path("faces.jsonl"), 0),
            ("mobilefacenet", Material.Path("crops"), 0),
            ("resnet18", Material.Path("images", "azure-samples", "CustomVision", "ImageClassification", "Images"), 0.06),
        ];
        foreach (var (name, images, maxErrors) in checks)
        {
            var result = await CommandResult.RunAsync("models", "check", name, images, "--json");
            Assert.Equal((ExitCode.Done, ""), (result.ExitCode, result.Error));
            var figures = Assert.Single(result.Objects);
            Assert.Equal(1, figures.GetProperty("rank1").GetDouble());
            Assert.InRange(figures.GetProperty("equal_error_rate").GetDouble(), 0, maxErrors);
            Assert.False(figures.GetProperty("swapped_is_better").GetBoolean());
        }
    }

    [Fact]
    public async Task Inspect_prints_inputs_outputs_and_the_embedding()
    {
        var file = Descriptor.PathOf(Descriptor.FaceModel);
        var text = await CommandResult.RunAsync("models", "inspect", file);
        Assert.Equal((ExitCode.Done, ""), (text.ExitCode, text.Error));
        Assert.Contains("input       face Float [any, 3, 112, 112]", text.Lines);
        Assert.Contains("output      embedding Float [any, 512]", text.Lines);
        Assert.Contains("embedding   embedding", text.Lines);
        var json = Assert.Single((await CommandResult.RunAsync("models", "inspect", file, "--json")).Objects);
        Assert.Equal("embedding", json.GetProperty("embedding").GetString());
        Assert.Contains("does not exist", Assert.Single((await CommandResult.RunAsync("models", "inspect", "/no/such.onnx")).ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_not_a_model_is_one_line()
    {
        var result = await CommandResult.RunAsync("models", "add", _folder.Write("a.onnx", "nonsense"), "--to", _folder.Path, "--preset", "adaface");
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.StartsWith("embeddings: a.onnx: ", Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    [MaterialFact]
    public async Task A_model_is_added_checked_and_its_threshold_written()
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
        var manifest = File.ReadAllText(Path.Combine(to, "faces.json"));
        Assert.Contains($"\"suggested_threshold\": {Math.Round(threshold, 3)}", manifest, StringComparison.Ordinal);
        Assert.Contains($"\"false_match_rate\": {figures.GetProperty("false_match_rate").GetDouble():0.######}", manifest, StringComparison.Ordinal);
    }

    [MaterialFact]
    public async Task A_detector_is_inspected_added_and_checked()
    {
        var file = Material.Path("models", "face_detection_yunet_2023mar.onnx");
        var inspected = await CommandResult.RunAsync("models", "inspect", file);
        Assert.Contains("Add it as a detector with --preset yunet.", inspected.Lines[^1], StringComparison.Ordinal);
        var to = _folder.File("models");
        var added = await CommandResult.RunAsync("models", "add", file, "--preset", "yunet", "--name", "yunet", "--to", to, "--licence", "MIT");
        Assert.Equal((ExitCode.Done, ""), (added.ExitCode, added.Error));
        Assert.Equal("yunet: detector, 640x640, batches up to 1", added.Lines[0]);
        Assert.Contains("faces       24 to 400 pixels of the input, with five points", added.Lines);
        var check = await CommandResult.RunAsync("models", "check", "yunet", "--models", to);
        Assert.Equal("yunet: loads, 640x640, results are the same in batches up to 1", check.Lines[0]);
        var images = await CommandResult.RunAsync("models", "check", "yunet", Material.Path("faces.jsonl"), "--models", to);
        Assert.Equal(ExitCode.Failed, images.ExitCode);
        Assert.Contains("is of kind detector and has no vectors", Assert.Single(images.ErrorLines), StringComparison.Ordinal);
    }

    [MaterialFact]
    public async Task A_wrong_color_order_is_reported()
    {
        var to = _folder.File("models");
        await CommandResult.RunAsync("models", "add", FaceModel, "--preset", "mobilefacenet-imagenet", "--name", "faces", "--to", to, "--color-order", "bgr");
        var wrong = await CommandResult.RunAsync("models", "check", "faces", Material.Path("faces.jsonl"), "--models", to);
        Assert.Contains("red and blue swapped", wrong.Error, StringComparison.Ordinal);
        Assert.Contains(wrong.Lines, line => line.Contains("<- threshold", StringComparison.Ordinal));
    }
}
