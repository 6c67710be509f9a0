using System.Text.Json;
using System.Text.Json.Serialization;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Presets;

/// <summary>The presets. Each is a file in this directory.</summary>
internal static class PresetCatalog
{
    private const string Prefix = "presets/";

    private static readonly JsonSerializerOptions Options = ManifestFile.CreateOptions(PresetJson.Default);

    private static readonly Lazy<IReadOnlyList<Preset>> Loaded = new(Load);

    /// <summary>All presets, ordered by name.</summary>
    public static IReadOnlyList<Preset> All => Loaded.Value;

    /// <summary>Returns a preset by name, or null.</summary>
    public static Preset? Find(string name) => All.FirstOrDefault(preset => preset.Name == name);

    /// <summary>Names of the presets, for messages.</summary>
    public static string Names => string.Join(", ", All.Select(preset => preset.Name));

    /// <summary>Names of the presets for detectors, for messages.</summary>
    public static string DetectorNames =>
        string.Join(", ", All.Where(preset => preset.Detector is not null).Select(preset => preset.Name));

    private static IReadOnlyList<Preset> Load()
    {
        var assembly = typeof(PresetCatalog).Assembly;
        return
        [
            .. assembly.GetManifestResourceNames()
                .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(name =>
                {
                    using var stream = assembly.GetManifestResourceStream(name)!;
                    var content = new byte[stream.Length];
                    stream.ReadExactly(content);
                    return Read(content, name[Prefix.Length..]);
                }),
        ];
    }

    private static Preset Read(byte[] content, string file)
    {
        var preset = ManifestFile.Parse<Preset>(content, file, Options);
        ManifestFile.Check(preset.Input, new(file, "input."));
        if (preset.Detector is { } detector)
        {
            FaceModelRules.CheckDecoding(detector, preset.Input, new(file, "detector."));
        }
        return preset;
    }
}

[JsonSerializable(typeof(Preset))]
internal sealed partial class PresetJson : JsonSerializerContext;
