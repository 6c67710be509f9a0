using System.Text.Json;

namespace Embeddings.Core.Models;

/// <summary>One JSON object of a manifest, read field by field: each is checked as it is read, and what was not read is refused at the end.</summary>
/// <param name="file">For messages.</param>
/// <param name="prefix">Path of this object within the manifest with a dot behind it, or empty.</param>
/// <param name="json">The object.</param>
internal sealed class ManifestFields(string file, string prefix, JsonElement json)
{
    private readonly HashSet<string> _known = [];

    /// <summary>Whether the field is there and not null.</summary>
    public bool Has(string field) => Find(field) is not null;

    public ManifestException Wrong(string field, string message) => new(file, prefix + field, message);

    public string Text(string field, int longest, string? byDefault = null)
    {
        if (Find(field) is not { } value)
        {
            return byDefault ?? throw Wrong(field, "is required");
        }
        if (value.ValueKind != JsonValueKind.String)
        {
            throw Wrong(field, "must be a string");
        }
        string text;
        try
        {
            text = value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong(field, "is not valid Unicode");
        }
        if (text.Length > longest)
        {
            throw Wrong(field, $"must have at most {longest:N0} characters");
        }
        // These texts are shown in terminals and logs.
        return text.Any(char.IsControl) ? throw Wrong(field, "must not have control characters") : text;
    }

    public int Integer(string field, int least, int most, int? byDefault = null)
    {
        if (Find(field) is not { } value)
        {
            return byDefault ?? throw Wrong(field, "is required");
        }
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(field, $"must be a whole number from {least:N0} to {most:N0}");
    }

    public bool Flag(string field, bool byDefault) => Find(field) switch
    {
        null => byDefault,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Wrong(field, "must be true or false"),
    };

    public float? Number(string field, float least, float most) => Find(field) is { } value ? Single(field, value, least, most) : null;

    public IReadOnlyList<float> Channels(string field, float byDefault, float most)
    {
        if (Find(field) is not { } value)
        {
            return [byDefault, byDefault, byDefault];
        }
        return value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 3
            ? [.. value.EnumerateArray().Select(v => Single(field, v, -most, most))]
            : throw Wrong(field, "must be three numbers");
    }

    public T OneOf<T>(string field, T? byDefault)
        where T : struct, Enum
    {
        if (byDefault is { } given && Find(field) is null)
        {
            return given;
        }
        var text = Text(field, 64);
        foreach (var value in Enum.GetValues<T>())
        {
            if (ManifestNames.Of(value) == text)
            {
                return value;
            }
        }
        throw Wrong(field, $"must be {string.Join(" or ", Enum.GetValues<T>().Select(v => ManifestNames.Of(v)))}");
    }

    public ManifestFields Object(string field) =>
        Find(field) is not { } value ? throw Wrong(field, "is required")
        : value.ValueKind != JsonValueKind.Object ? throw Wrong(field, "must be an object")
        : new ManifestFields(file, $"{prefix}{field}.", value);

    /// <summary>A misspelt field would silently take its default.</summary>
    public void RefuseOthers()
    {
        foreach (var property in json.EnumerateObject())
        {
            var name = property.Name;
            if (!_known.Contains(name))
            {
                throw Wrong(name.Length <= 64 && !name.Any(char.IsControl) ? name : "", "is not a field of a manifest");
            }
        }
    }

    private float Single(string field, JsonElement value, float least, float most) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out var number) && number >= least && number <= most
            ? number
            : throw Wrong(field, $"must be a number from {least} to {most}");

    private JsonElement? Find(string field)
    {
        _known.Add(field);
        return json.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }
}
