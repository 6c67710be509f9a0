using System.CommandLine;
using Embeddings.Cli.Printing;
using Embeddings.Tooling.Models.Pulling;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models pull</c>: downloads a published model and adds it.</summary>
internal static class ModelsPullCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var source = new Argument<string>("source")
        {
            Description = "A preset with a download (see 'models presets'), or the URL of an .onnx file.",
        };
        var sha256 =
            CommonOptions.Text("--sha256", "HEX", "Expected SHA-256 of the file. [default: that of the preset]");
        var accept = new Option<bool>("--accept-licence", "--accept-license")
        {
            Description = "Accept a licence that does not allow commercial use.",
        };
        sha256.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var hex }] && !(hex.Length == 64 && hex.All(char.IsAsciiHexDigit)))
            {
                result.AddError($"--sha256 must be 64 hexadecimal digits; got '{hex}'.");
            }
        });
        var options = new AddOptions();
        var command = new Command(
            "pull", "Downloads a model, checks its SHA-256, shows its licence, and adds it as 'models add' does.")
        {
            source, sha256, accept,
        };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var puller =
                new ModelPuller(TimeProvider.System, licence => output.Note($"licence: {licence}"), Progress(output));
            var request = new PullRequest(
                parsed.GetValue(source)!, parsed.GetValue(sha256), parsed.GetValue(accept), options.Read(parsed, ""));
            var (model, actual) = await puller.PullAsync(request, cancellationToken);
            output.Line($"sha256      {actual}");
            ModelsAddCommand.Print(output, model);
            return ExitCode.Done;
        });
        return command;
    }

    // One line per tenth, or per 64 MiB if the size is unknown, so that logs stay short.
    private static Action<Uri, long, long?> Progress(Output output)
    {
        var reported = 0L;
        return (url, bytes, total) =>
        {
            var step = total is { } size ? Math.Max(1, size / 10) : 64L << 20;
            if (bytes - reported < step && bytes != total)
            {
                return;
            }
            reported = bytes;
            output.Note(total is { } all
                ? $"{url.Host}: {bytes:N0} of {all:N0} bytes, {100 * bytes / Math.Max(1, all)} %"
                : $"{url.Host}: {bytes:N0} bytes");
        };
    }
}
