using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Embeddings.Core.Models;

/// <summary>
/// Writes manifests as <see cref="ManifestReader"/> reads them: every field, always in the same order, so that two can be compared line by line.
/// </summary>
internal static class ManifestWriter
{
    private static readonly JsonWriterOptions Indented = new()
    {
        Indented = true,
        NewLine = "\n",
        // For people: names in any script stay readable. The text goes into no HTML.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The file's content, UTF-8, with a line feed at its end.</summary>
    public static byte[] Write(ModelManifest manifest)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Indented))
        {
            Write(json, manifest);
        }
        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }

    private static void Write(Utf8JsonWriter json, ModelManifest manifest)
    {
        json.WriteStartObject();
        json.WriteString("name", manifest.Name);
        json.WriteString("kind", ManifestNames.Of(manifest.Kind));
        json.WriteStartObject("input");
        json.WriteNumber("width", manifest.Input.Width);
        json.WriteNumber("height", manifest.Input.Height);
        json.WriteString("color_order", ManifestNames.Of(manifest.Input.ColorOrder));
        WriteChannels(json, "mean", manifest.Input.Mean);
        WriteChannels(json, "std", manifest.Input.Std);
        json.WriteString("resize", ManifestNames.Of(manifest.Input.Resize));
        json.WriteNumber("resize_to", manifest.Input.ResizeTo);
        json.WriteString("interpolation", ManifestNames.Of(manifest.Input.Interpolation));
        json.WriteEndObject();
        json.WriteNumber("dimension", manifest.Dimension);
        json.WriteBoolean("unit_length", manifest.UnitLength);
        json.WriteNumber("max_batch", manifest.MaxBatch);
        json.WriteString("output", manifest.Output);
        json.WriteString("licence", manifest.Licence);
        json.WriteString("origin", manifest.Origin);
        json.WriteString("sha256", manifest.Sha256);
        if (manifest.DataSha256.Length > 0)
        {
            json.WriteString("data_sha256", manifest.DataSha256);
        }
        json.WriteString("description", manifest.Description);
        if (manifest.SuggestedThreshold is { } threshold)
        {
            json.WriteNumber("suggested_threshold", threshold);
        }
        json.WriteEndObject();
    }

    // On one line; an indented writer would take five.
    private static void WriteChannels(Utf8JsonWriter json, string field, IReadOnlyList<float> values)
    {
        json.WritePropertyName(field);
        json.WriteRawValue($"[{string.Join(", ", values.Select(v => v.ToString(CultureInfo.InvariantCulture)))}]");
    }
}
