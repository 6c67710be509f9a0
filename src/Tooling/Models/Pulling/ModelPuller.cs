using Embeddings.Tooling.Models.Adding;
using Embeddings.Tooling.Models.Presets;

namespace Embeddings.Tooling.Models.Pulling;

/// <summary>A model to download.</summary>
/// <param name="Source">Name of a preset with a download, or the URL of an <c>.onnx</c> file.</param>
/// <param name="Sha256">Expected SHA-256; null for the checksum of the preset, if any.</param>
/// <param name="AcceptLicence">Whether a licence without commercial use is accepted.</param>
/// <param name="Add">How to add the model. The file, and the preset, name and licence if missing, are set here.</param>
internal sealed record PullRequest(string Source, string? Sha256, bool AcceptLicence, AddRequest Add);

/// <summary>Downloads a published model and adds it.</summary>
/// <param name="time">Clock of the backoff.</param>
/// <param name="showLicence">Receives the licence before anything is downloaded.</param>
/// <param name="progress">Receives the URL, the number of bytes so far and, if known, the total.</param>
internal sealed class ModelPuller(TimeProvider time, Action<string> showLicence, Action<Uri, long, long?> progress)
{
    /// <summary>Downloads and adds the model; returns it with the SHA-256 of the file.</summary>
    /// <exception cref="ToolException">The model cannot be downloaded, or its licence is not accepted.</exception>
    public async Task<(AddedModel Model, string Sha256)> PullAsync(
        PullRequest request, CancellationToken cancellationToken)
    {
        var preset = PresetCatalog.Find(request.Source);
        var url = Find(request.Source, preset);
        var licence = request.Add.Licence ?? preset?.Download?.Licence ?? "";
        CheckLicence(preset?.Download, licence, request.AcceptLicence);

        Directory.CreateDirectory(request.Add.Directory);
        var file = Path.Combine(request.Add.Directory, $".{FileName(url)}");
        // The client's timeout would apply to the whole of a large file.
        using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        var sha256 = await new Download(http, time).RunAsync(
            url,
            file,
            request.Sha256 ?? preset?.Download?.Sha256,
            (bytes, total) => progress(url, bytes, total),
            cancellationToken);
        try
        {
            var added = ModelAdder.Add(request.Add with
            {
                File = file,
                Preset = request.Add.Preset ?? preset?.Name,
                Name = request.Add.Name ?? Path.GetFileNameWithoutExtension(FileName(url)),
                Licence = licence,
            });
            if (preset?.Download is { } download)
            {
                var text = $"{download.Licence}\n{download.Url}\n\n{download.LicenceText}\n";
                await File.WriteAllTextAsync(Path.ChangeExtension(added.File, ".licence.txt"), text, cancellationToken);
            }
            return (added, sha256);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static Uri Find(string source, Preset? preset)
    {
        if (preset is not null)
        {
            return preset.Download?.Url ?? throw new ToolException(
                $"Preset '{preset.Name}' has no download. Download a model yourself, then run "
                + $"'embeddings models add FILE.onnx --preset {preset.Name}'.");
        }
        return Uri.TryCreate(source, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new ToolException(
                $"'{source}' is neither a preset nor an http or https URL. Presets: {PresetCatalog.Names}.");
    }

    private void CheckLicence(PresetDownload? download, string licence, bool accepted)
    {
        var unknown = licence.Length > 0 ? licence : "unknown; set it with --licence";
        showLicence(download is null ? unknown : $"{download.Licence}. {download.LicenceText}");
        if ((download?.NonCommercial ?? IsNonCommercial(licence)) && !accepted)
        {
            throw new ToolException(
                $"Licence {licence} does not allow commercial use. Accept it with --accept-licence.");
        }
    }

    private static bool IsNonCommercial(string licence) =>
        new[] { "-NC", "non-commercial", "noncommercial" }
            .Any(part => licence.Contains(part, StringComparison.OrdinalIgnoreCase));

    private static string FileName(Uri url)
    {
        var last = Uri.UnescapeDataString(url.Segments[^1]);
        var valid = last.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' ? c : '-');
        var name = string.Concat(valid).Trim('.', '-');
        name = name.Length > 0 ? name : "model";
        return name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) ? name : $"{name}.onnx";
    }
}
