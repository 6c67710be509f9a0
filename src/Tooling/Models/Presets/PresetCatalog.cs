using System.Text.Json;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Presets;

/// <summary>The presets. Each is a file in this directory.</summary>
internal static class PresetCatalog
{
    private const string Prefix = "presets/";

    private static readonly Lazy<IReadOnlyList<Preset>> Loaded = new(Load);

    /// <summary>All presets, ordered by name.</summary>
    public static IReadOnlyList<Preset> All => Loaded.Value;

    /// <summary>Returns a preset by name, or null.</summary>
    public static Preset? Find(string name) => All.FirstOrDefault(preset => preset.Name == name);

    /// <summary>Names of the presets, for messages.</summary>
    public static string Names => string.Join(", ", All.Select(preset => preset.Name));

    private static IReadOnlyList<Preset> Load()
    {
        var assembly = typeof(PresetCatalog).Assembly;
        return [.. assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(name =>
            {
                using var stream = assembly.GetManifestResourceStream(name)!;
                using var document = JsonDocument.Parse(stream);
                return Read(name[Prefix.Length..], document.RootElement);
            })];
    }

    private static Preset Read(string file, JsonElement json)
    {
        var fields = new ManifestFields(file, "", json);
        var preset = new Preset
        {
            Name = fields.Text("name", 64),
            Kind = fields.OneOf<ModelKind>("kind", null),
            Input = ManifestReader.Input(fields.Object("input")),
            UnitLength = fields.Flag("unit_length", false),
            NormalisedInside = fields.Flag("normalised_inside", false),
            Description = fields.Text("description", 4_096),
            Source = fields.Text("source", 4_096),
            Download = fields.Has("download") ? Download(fields.Object("download")) : null,
        };
        fields.RefuseOthers();
        return preset;
    }

    private static PresetDownload Download(ManifestFields fields)
    {
        var download = new PresetDownload(
            new Uri(fields.Text("url", 1_024)),
            fields.Text("sha256", 64),
            fields.Integer("size", 1, int.MaxValue),
            fields.Text("licence", 256),
            fields.Text("licence_text", 65_536),
            fields.Flag("non_commercial", false));
        fields.RefuseOthers();
        return download;
    }
}
