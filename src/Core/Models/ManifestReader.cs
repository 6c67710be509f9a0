using System.Text.Json;

namespace Embeddings.Core.Models;

/// <summary>Reads manifests: JSON with the fields of <see cref="ModelManifest"/> in snake_case, and no others.</summary>
internal static class ManifestReader
{
    private const int LargestFile = 1 << 20;
    private const long LargestBatch = 1 << 29;
    private const float LargestScale = 1e6f;
    private const float SmallestStd = 1e-6f;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    /// <summary>Reads a file.</summary>
    /// <exception cref="ManifestException">It cannot be read, or is not a manifest.</exception>
    public static ModelManifest Read(string path)
    {
        var file = Path.GetFileName(path);
        try
        {
            return new FileInfo(path).Length <= LargestFile
                ? Parse(File.ReadAllBytes(path), file)
                : throw new ManifestException(file, "", $"is larger than {LargestFile:N0} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ManifestException(file, "", e is FileNotFoundException ? "is not there" : "cannot be read", e);
        }
    }

    /// <summary>Reads a file's content; <paramref name="file"/> is its name, for messages.</summary>
    /// <exception cref="ManifestException">It is not a manifest.</exception>
    public static ModelManifest Parse(ReadOnlyMemory<byte> utf8, string file)
    {
        // Editors on Windows put a byte order mark in front.
        var json = utf8.Span.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8;
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? Manifest(new ManifestFields(file, "", document.RootElement))
                : throw new ManifestException(file, "", "must be a JSON object");
        }
        catch (JsonException e)
        {
            throw new ManifestException(file, "", $"is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}", e);
        }
        catch (InvalidOperationException e)
        {
            // Half of a surrogate pair, in the name of a field.
            throw new ManifestException(file, "", "has text that is not valid Unicode", e);
        }
    }

    private static ModelManifest Manifest(ManifestFields fields)
    {
        var kind = fields.OneOf<ModelKind>("kind", null);
        var manifest = new ModelManifest
        {
            Name = fields.Text("name", 64),
            Kind = kind,
            Input = Input(fields.Object("input")),
            Dimension = fields.Integer("dimension", 1, 65_536),
            UnitLength = fields.Flag("unit_length", kind == ModelKind.Face),
            MaxBatch = fields.Integer("max_batch", 1, 1_024, 32),
            Output = fields.Text("output", 256, ""),
            Licence = fields.Text("licence", 256, ""),
            Origin = fields.Text("origin", 1_024, ""),
            Sha256 = Digits(fields, "sha256", null),
            DataSha256 = Digits(fields, "data_sha256", ""),
            Description = fields.Text("description", 4_096, ""),
            SuggestedThreshold = fields.Number("suggested_threshold", -1, 1),
        };
        fields.RefuseOthers();
        if (manifest.Name.Length == 0 || !manifest.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            throw fields.Wrong("name", "must be 1 to 64 of a-z, A-Z, 0-9, _, - and .");
        }
        if ((long)manifest.MaxBatch * manifest.Input.TensorLength > LargestBatch)
        {
            throw fields.Wrong("max_batch", $"makes batches of more than {LargestBatch:N0} numbers with this input");
        }
        return kind == ModelKind.Face && !manifest.UnitLength ? throw fields.Wrong("unit_length", "is always true for faces") : manifest;
    }

    private static string Digits(ManifestFields fields, string field, string? byDefault)
    {
        var text = fields.Text(field, 64, byDefault).ToLowerInvariant();
        return text == byDefault || (text.Length == 64 && text.All(char.IsAsciiHexDigit)) ? text : throw fields.Wrong(field, "must be 64 hexadecimal digits");
    }

    /// <summary>The fields of <c>input</c>, as presets have them too.</summary>
    internal static InputSpec Input(ManifestFields fields)
    {
        var input = new InputSpec
        {
            Width = fields.Integer("width", 1, 4_096),
            Height = fields.Integer("height", 1, 4_096),
            ColorOrder = fields.OneOf<ColorOrder>("color_order", ColorOrder.Rgb),
            Mean = fields.Channels("mean", 0, LargestScale),
            Std = fields.Channels("std", 1, LargestScale),
            Resize = fields.OneOf<ResizeMode>("resize", ResizeMode.Stretch),
            ResizeTo = fields.Integer("resize_to", 0, 8_192, 0),
            Interpolation = fields.OneOf<Interpolation>("interpolation", Interpolation.Bilinear),
        };
        fields.RefuseOthers();
        if (input.Std.Any(s => MathF.Abs(s) < SmallestStd))
        {
            throw fields.Wrong("std", $"must not be nearer to zero than {SmallestStd}");
        }
        if (input.ResizeTo != 0 && input.Resize != ResizeMode.CenterCrop)
        {
            throw fields.Wrong("resize_to", "goes with resize center_crop only");
        }
        return input.ResizeTo != 0 && input.ResizeTo < Math.Min(input.Width, input.Height)
            ? throw fields.Wrong("resize_to", "must be 0 or at least the input's shortest side")
            : input;
    }
}
