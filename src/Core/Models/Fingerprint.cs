using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Embeddings.Core.Models;

/// <summary>
/// What decides whether two vectors can be compared: the model's file and everything done to a picture before and to a vector after. Name, licence,
/// batch size and other words do not count.
/// </summary>
internal static class Fingerprint
{
    /// <summary>SHA-256 of the canonical text, 64 lower-case hex digits.</summary>
    public static string Of(ModelManifest manifest) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Canonical(manifest))));

    /// <summary>One field a line, each in one spelling only. Stored collections depend on it: a change makes them unreadable to their own model.</summary>
    internal static string Canonical(ModelManifest manifest)
    {
        var input = manifest.Input;
        var resizeTo = input.Resize != ResizeMode.CenterCrop ? 0 : input.ResizeTo == 0 ? Math.Min(input.Width, input.Height) : input.ResizeTo;
        // Only where there are such files, so that models without them keep the fingerprint they always had.
        var data = manifest.DataSha256.Length > 0 ? $"\ndata {manifest.DataSha256.ToLowerInvariant()}" : "";
        return string.Join(
            '\n',
            "embeddings-fingerprint 1",
            $"sha256 {manifest.Sha256.ToLowerInvariant()}{data}",
            $"input {Number(input.Width)}x{Number(input.Height)} {ManifestNames.Of(input.ColorOrder)}",
            $"mean {Channels(input.Mean)}",
            $"std {Channels(input.Std)}",
            $"resize {ManifestNames.Of(input.Resize)} {Number(resizeTo)} {ManifestNames.Of(input.Interpolation)}",
            $"output {manifest.Output}",
            $"unit_length {(manifest.UnitLength ? "true" : "false")}");
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    // Adding zero turns -0 into 0.
    private static string Channels(IReadOnlyList<float> values) => string.Join(' ', values.Select(v => (v + 0f).ToString("R", CultureInfo.InvariantCulture)));
}
