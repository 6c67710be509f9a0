using System.CommandLine;
using System.Globalization;
using Embeddings.Cli.Printing;
using Embeddings.Cli.Pulling;
using Embeddings.Tooling.Models.Adding;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Cli.Commands;

/// <summary><c>embeddings models pull</c>: fetches a published model and adds it.</summary>
internal static class ModelsPullCommand
{
    public static Command Create(GlobalOptions globals)
    {
        var source = new Argument<string>("source") { Description = "A preset that has a download (see 'models presets'), or the URL of an .onnx file." };
        var sha256 = new Option<string?>("--sha256") { Description = "What the file must be; a preset knows its own.", HelpName = "H" };
        var accept = new Option<bool>("--accept-licence", "--accept-license") { Description = "Accept a licence that allows no commercial use." };
        sha256.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && !(result.Tokens[0].Value.Length == 64 && result.Tokens[0].Value.All(char.IsAsciiHexDigit)))
            {
                result.AddError("--sha256 is 64 hexadecimal digits.");
            }
        });
        var options = new AddOptions();
        var command = new Command("pull", "Downloads a model, checks that it is the right file, shows its licence, and adds it as 'models add' does.") { source, sha256, accept };
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var output = globals.Output(parsed);
            var (wanted, preset) = (parsed.GetValue(source)!, PresetCatalog.Find(parsed.GetValue(source)!));
            var url = Find(wanted, preset);
            var request = options.Read(parsed, "");
            var licence = request.Licence ?? preset?.Download?.Licence ?? "";
            ShowLicence(output, preset?.Download, licence, parsed.GetValue(accept));

            Directory.CreateDirectory(request.Directory);
            var file = Path.Combine(request.Directory, $".{FileName(url)}");
            // Its own redirects would go anywhere, and its own time limit would hold for the whole of a large file.
            using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = Timeout.InfiniteTimeSpan };
            var actual = await new Download(http, TimeProvider.System)
                .RunAsync(url, file, parsed.GetValue(sha256) ?? preset?.Download?.Sha256, Progress(output, url), cancellationToken);
            output.Line($"sha256      {actual}");
            try
            {
                var added = ModelAdder.Add(request with
                {
                    File = file,
                    Preset = request.Preset ?? preset?.Name,
                    Name = request.Name ?? Path.GetFileNameWithoutExtension(FileName(url)),
                    Licence = licence,
                });
                if (preset?.Download is { } download)
                {
                    File.WriteAllText(Path.ChangeExtension(added.File, ".licence.txt"), $"{download.Licence}\n{download.Url}\n\n{download.LicenceText}\n");
                }
                ModelsAddCommand.Tell(output, added);
            }
            finally
            {
                File.Delete(file);
            }
            return ExitCode.Done;
        });
        return command;
    }

    private static Uri Find(string wanted, Preset? preset)
    {
        if (preset is not null)
        {
            return preset.Download?.Url ?? throw new CliException(
                $"the preset {preset.Name} has no download: fetch a model of it yourself, then 'embeddings models add FILE.onnx --preset {preset.Name}'");
        }
        return Uri.TryCreate(wanted, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new CliException($"'{wanted}' is neither a preset nor an http or https URL; the presets: {PresetCatalog.Names}");
    }

    // What a person agrees to is said before anything is fetched.
    private static void ShowLicence(Output output, PresetDownload? download, string licence, bool accepted)
    {
        output.Note(download is null
            ? $"licence: {(licence.Length > 0 ? licence : "not known; --licence records it")}"
            : $"licence: {download.Licence}. {download.LicenceText}");
        if ((download?.NonCommercial ?? IsNonCommercial(licence)) && !accepted)
        {
            throw new CliException($"the licence {licence} allows no commercial use; --accept-licence says that this is understood");
        }
    }

    private static bool IsNonCommercial(string licence) =>
        licence.Contains("-NC", StringComparison.OrdinalIgnoreCase) || licence.Contains("non-commercial", StringComparison.OrdinalIgnoreCase)
        || licence.Contains("noncommercial", StringComparison.OrdinalIgnoreCase);

    private static string FileName(Uri url)
    {
        var name = new string([.. Uri.UnescapeDataString(url.Segments[^1]).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' ? c : '-')]).Trim('.', '-');
        return name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) ? name : $"{(name.Length > 0 ? name : "model")}.onnx";
    }

    // A line for every tenth, or every 64 MiB where the size is not known: logs stay short.
    private static Action<long, long?> Progress(Output output, Uri url)
    {
        var told = 0L;
        return (bytes, total) =>
        {
            var step = total is { } all ? Math.Max(1, all / 10) : 64L << 20;
            if (bytes - told >= step || bytes == total)
            {
                told = bytes;
                var share = total is { } whole ? string.Create(CultureInfo.InvariantCulture, $" of {whole:N0} bytes, {100 * bytes / Math.Max(1, whole)} %") : " bytes";
                output.Note($"{url.Host}: {bytes.ToString("N0", CultureInfo.InvariantCulture)}{share}");
            }
        };
    }
}
