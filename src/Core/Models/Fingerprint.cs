using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Embeddings.Core.Models;

/// <summary>
/// Fingerprint of a model: two vectors can be compared if their models have the same one. It covers the model file and all
/// processing of an image before and of the outputs after the run, but not name, licence, batch size or descriptions.
/// </summary>
internal static class Fingerprint
{
    /// <summary>SHA-256 of the canonical text, 64 lower-case hex digits.</summary>
    public static string Of(ModelManifest manifest) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Canonical(manifest))));

    /// <summary>
    /// One line per field, each in one spelling. Stored collections depend on it: after a change they refuse their
    /// own model.
    /// </summary>
    internal static string Canonical(ModelManifest manifest)
    {
        var input = manifest.Input;
        var resizeTo = input.ResizeTo == 0 ? Math.Min(input.Width, input.Height) : input.ResizeTo;
        if (input.Resize != ResizeMode.CenterCrop)
        {
            resizeTo = 0;
        }
        // Only if there are such files, so that models without them keep the fingerprint they always had.
        var data = manifest.DataSha256.Length > 0 ? $"\ndata {manifest.DataSha256.ToLowerInvariant()}" : "";
        return string.Join(
            '\n',
            "embeddings-fingerprint 1",
            $"sha256 {manifest.Sha256.ToLowerInvariant()}{data}",
            $"input {Number(input.Width)}x{Number(input.Height)} {ManifestFile.Word(input.ColorOrder)}",
            $"mean {Channels(input, input.Mean)}",
            $"std {Channels(input, input.Std)}",
            $"resize {ManifestFile.Word(input.Resize)} {Number(resizeTo)} {ManifestFile.Word(input.Interpolation)}",
            $"output {manifest.Output}",
            $"unit_length {(manifest.UnitLength ? "true" : "false")}{Decode(input)}{Section(manifest)}");
    }

    // Only if it is not the default, so that models of the time before the setting keep their fingerprint.
    private static string Decode(InputSpec input) => input.Decode == DecodeMode.Full ? "\ndecode full" : "";

    // Only of models that do not embed, which have one; no collection depends on it.
    private static string Section(ModelManifest manifest) => ManifestFile.Section(manifest) is { } json ? $"\n{json}" : "";

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    // Adding zero turns -0 into 0.
    private static string Channels(InputSpec input, IReadOnlyList<float> values) =>
        string.Join(' ', values.Take(input.Channels).Select(v => (v + 0f).ToString("R", CultureInfo.InvariantCulture)));
}
