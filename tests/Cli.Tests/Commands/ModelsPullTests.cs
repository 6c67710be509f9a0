using System.Text.Json;
using Embeddings.TestModels;

namespace Embeddings.Cli.Tests.Commands;

/// <summary><c>models pull</c> from a URL to an added model.</summary>
public sealed class ModelsPullTests : IDisposable
{
    private const string Preset = "insightface-arcface";

    private static readonly string Original = Descriptor.PathOf(Descriptor.FaceModel);

    private readonly TempFolder _folder = new();
    private readonly FileServer _server = new((_, path, _, stream, _) =>
    {
        var content = File.ReadAllBytes(Original);
        return path.StartsWith("/moved/", StringComparison.Ordinal)
            ? FileServer.SendAsync(stream, $"302 Found\r\nContent-Length: 0\r\nLocation: {path["/moved".Length..]}")
            : FileServer.SendAsync(stream, $"200 OK\r\nContent-Length: {content.Length}", content);
    });

    public void Dispose()
    {
        _server.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_model_is_downloaded_checked_and_added()
    {
        var sha256 = Manifest(Path.ChangeExtension(Original, ".json")).GetProperty("sha256").GetString()!;
        var result = await PullAsync("moved/faces%20(v1).onnx", "--sha256", sha256.ToUpperInvariant(), "--licence", "Apache-2.0");
        Assert.Equal(ExitCode.Done, result.ExitCode);
        Assert.Contains("licence: Apache-2.0", result.Error, StringComparison.Ordinal);
        Assert.Contains("100 %", result.Error, StringComparison.Ordinal);
        Assert.Contains(result.Lines, line => line.EndsWith(sha256, StringComparison.Ordinal));

        // Named after the requested file, without invalid characters; no other file is left.
        Assert.Equal(["faces--v1-.json", "faces--v1-.onnx"], Left());
        var manifest = Manifest(_folder.File("faces--v1-.json"));
        Assert.Equal(sha256, manifest.GetProperty("sha256").GetString());
        Assert.Equal("Apache-2.0", manifest.GetProperty("licence").GetString());
        Assert.Equal("face", manifest.GetProperty("kind").GetString());
        Assert.Equal(File.ReadAllBytes(Original), File.ReadAllBytes(_folder.File("faces--v1-.onnx")));
    }

    [Fact]
    public async Task A_file_of_wrong_content_leaves_nothing()
    {
        var result = await PullAsync("faces.onnx", "--sha256", new string('a', 64));
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains("checksum mismatch", result.Error, StringComparison.Ordinal);
        Assert.Empty(Left());
    }

    [Fact]
    public async Task A_licence_without_commercial_use_must_be_accepted_before_the_download()
    {
        string[] licence = ["--licence", "CC-BY-NC-4.0"];
        var refused = await PullAsync("faces.onnx", licence);
        Assert.Equal(ExitCode.Failed, refused.ExitCode);
        Assert.Contains("--accept-licence", refused.ErrorLines[^1], StringComparison.Ordinal);
        Assert.Equal(0, _server.Requests);

        var accepted = await PullAsync("faces.onnx", [.. licence, "--accept-licence"]);
        Assert.Equal(ExitCode.Done, accepted.ExitCode);
        Assert.Equal("CC-BY-NC-4.0", Manifest(_folder.File("faces.json")).GetProperty("licence").GetString());
    }

    [Fact]
    public async Task An_existing_model_is_replaced_only_with_the_option()
    {
        Assert.Equal(ExitCode.Done, (await PullAsync("faces.onnx")).ExitCode);
        var again = await PullAsync("faces.onnx");
        Assert.Equal(ExitCode.Failed, again.ExitCode);
        Assert.Contains("--replace", again.ErrorLines[^1], StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await PullAsync("faces.onnx", "--replace")).ExitCode);
        Assert.Equal(["faces.json", "faces.onnx"], Left());
    }

    [Theory]
    [InlineData("adaface", "Preset 'adaface' has no download")]
    [InlineData("ftp://127.0.0.1/a.onnx", "neither a preset nor an http or https URL")]
    [InlineData("nonsense", "neither a preset nor an http or https URL")]
    public async Task Invalid_sources_are_one_line(string source, string reason)
    {
        var result = await CommandResult.RunAsync("models", "pull", source, "--to", _folder.Path);
        Assert.Equal(ExitCode.Failed, result.ExitCode);
        Assert.Contains(reason, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    private Task<CommandResult> PullAsync(string path, params string[] more) =>
        CommandResult.RunAsync(["models", "pull", _server.Url(path).AbsoluteUri, "--to", _folder.Path, "--preset", Preset, .. more]);

    private List<string> Left() =>
        [.. Directory.EnumerateFileSystemEntries(_folder.Path).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal)];

    private static JsonElement Manifest(string path) => JsonDocument.Parse(File.ReadAllText(path)).RootElement;
}
