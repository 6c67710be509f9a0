using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Embeddings.Core.Models;

/// <summary>
/// Reads and writes manifests: JSON with the properties of <see cref="ModelManifest"/> in snake_case and no others. Written
/// files have every field, always in the same order, so that two can be compared line by line.
/// </summary>
internal static class ManifestFile
{
    private const int MaxFileBytes = 1 << 20;
    private const long MaxBatchValues = 1 << 29;
    private const float MaxScale = 1e6f;
    private const float MinStd = 1e-6f;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    private static readonly JsonSerializerOptions Options =
        CreateOptions(ManifestJson.Default.WithAddedModifier(OmitUnused));

    /// <summary>Reads a file.</summary>
    /// <exception cref="ModelException">The file cannot be read, or is not a manifest.</exception>
    public static ModelManifest Read(string path)
    {
        var file = Path.GetFileName(path);
        try
        {
            var length = new FileInfo(path).Length;
            return length <= MaxFileBytes
                ? Parse(File.ReadAllBytes(path), file)
                : throw new ModelException(file, "", $"must have at most {MaxFileBytes:N0} bytes; got {length:N0}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ModelException(file, "", e is FileNotFoundException ? "does not exist" : "cannot be read", e);
        }
    }

    /// <summary>
    /// Returns true if a JSON file, valid or not as a manifest, has the fields by which one is recognized among others.
    /// </summary>
    public static bool IsManifest(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaxFileBytes)
            {
                return false;
            }
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Object
                && root.TryGetProperty("sha256", out _)
                && root.TryGetProperty("kind", out _)
                && root.TryGetProperty("input", out _);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return false;
        }
    }

    /// <summary>Reads the content of a file; <paramref name="file"/> is its name, for messages.</summary>
    /// <exception cref="ModelException">The content is not a manifest.</exception>
    public static ModelManifest Parse(ReadOnlyMemory<byte> utf8, string file)
    {
        var manifest = Parse<ModelManifest>(utf8, file, Options);
        manifest = manifest with
        {
            Sha256 = manifest.Sha256.ToLowerInvariant(),
            DataSha256 = manifest.DataSha256.ToLowerInvariant(),
        };
        Check(manifest, new(file, ""));
        var input = OneSpelling(manifest.Input);
        return manifest with { Input = manifest.Embeds ? input.WithDecode() : input };
    }

    /// <summary>One channel's mean and std as one number each, however they were written.</summary>
    internal static InputSpec OneSpelling(InputSpec input) =>
        input.Channels == 1 ? input with { Mean = [input.Mean[0]], Std = [input.Std[0]] } : input;

    /// <summary>The content of a file: UTF-8, with a line feed at the end.</summary>
    public static byte[] Write(ModelManifest manifest) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(manifest, Options.GetTypeInfo(typeof(ModelManifest))), (byte)'\n'];

    /// <summary>The section of a model that does not embed, as JSON; null for others.</summary>
    public static string? Section(ModelManifest manifest)
    {
        object? section = manifest switch
        {
            { Detector: { } detector } => detector,
            { Landmarks: { } landmarks } => landmarks,
            { Liveness: { } liveness } => liveness,
            { Pose: { } pose } => pose,
            _ => null,
        };
        return section is null ? null : JsonSerializer.Serialize(section, Options.GetTypeInfo(section.GetType()));
    }

    /// <summary>The spelling of a value of an enumeration: <c>CenterCrop</c> is <c>center_crop</c>.</summary>
    public static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    /// <summary>The JSON dialect of manifests, for other files that contain parts of them.</summary>
    internal static JsonSerializerOptions CreateOptions(IJsonTypeInfoResolver types) => new()
    {
        TypeInfoResolver = types,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        WriteIndented = true,
        NewLine = "\n",
        // Names in any script stay readable. The text does not go into HTML.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Reads a JSON object strictly; errors name the file, and the field or the position.</summary>
    internal static T Parse<T>(ReadOnlyMemory<byte> utf8, string file, JsonSerializerOptions options)
    {
        // Editors on Windows put a byte order mark in front.
        var json = utf8.Span.StartsWith("\uFEFF"u8) ? utf8[3..] : utf8;
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            try
            {
                return (T?)document.Deserialize(options.GetTypeInfo(typeof(T)))
                    ?? throw new ModelException(file, "", "must be a JSON object");
            }
            catch (JsonException e)
            {
                throw Error(e, file, document.RootElement, options.GetTypeInfo(typeof(T)));
            }
        }
        catch (JsonException e)
        {
            var position = e.LineNumber is null
                ? "a field is repeated"
                : $"line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}";
            throw new ModelException(file, "", $"is not valid JSON: {position}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelException(file, "", "contains text that is not valid Unicode", e);
        }
    }

    /// <summary>Checks the values of preprocessing parameters.</summary>
    internal static void Check(InputSpec input, Field at)
    {
        at.Between("width", input.Width, 1, 4_096);
        at.Between("height", input.Height, 1, 4_096);
        at.Between("resize_to", input.ResizeTo, 0, 8_192);
        foreach (var (name, values) in ((string, IReadOnlyList<float>)[])[("mean", input.Mean), ("std", input.Std)])
        {
            if (input.Channels == 1 ? values.Distinct().Count() != 1 : values.Count != 3)
            {
                throw at.Error(name, input.Channels == 1 ? "must be one number for a gray input" : "must be three numbers");
            }
            if (values.FirstOrDefault(value => !(MathF.Abs(value) <= MaxScale)) is var value and not 0)
            {
                throw at.Error(name, $"must be between {-MaxScale:N0} and {MaxScale:N0}; got {value}");
            }
        }
        if (input.Std.Any(value => MathF.Abs(value) < MinStd))
        {
            throw at.Error("std", $"must be at least {MinStd} from zero; got {input.Std.MinBy(MathF.Abs)}");
        }
        if (input.ResizeTo != 0 && input.Resize != ResizeMode.CenterCrop)
        {
            throw at.Error("resize_to", "must be 0 unless resize is center_crop");
        }
        var shortest = Math.Min(input.Width, input.Height);
        if (input.ResizeTo != 0 && input.ResizeTo < shortest)
        {
            throw at.Error("resize_to", $"must be 0 or at least the input's shortest side, {shortest}; got {input.ResizeTo}");
        }
    }

    private static void Check(ModelManifest manifest, Field at)
    {
        if (manifest.Name.Length is 0 or > 64 || !manifest.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.'))
        {
            throw at.Error("name", "must be 1 to 64 of a-z, A-Z, 0-9, _, - and .");
        }
        Check(manifest.Input, at with { Prefix = "input." });
        if (manifest.Embeds)
        {
            at.Between("dimension", manifest.Dimension, 1, 65_536);
        }
        else
        {
            CheckUnused(manifest, at);
        }
        FaceModelRules.Check(manifest, at);
        at.Between("max_batch", manifest.MaxBatch, 1, 1_024);
        var values = (long)manifest.MaxBatch * manifest.Input.TensorLength;
        if (values > MaxBatchValues)
        {
            throw at.Error("max_batch", $"must keep a batch within {MaxBatchValues:N0} values; got {values:N0} with this input");
        }
        if (manifest.Kind == ModelKind.Face && !manifest.UnitLength)
        {
            throw at.Error("unit_length", "must be true for faces");
        }
        at.Text("output", manifest.Output, 256);
        at.Text("licence", manifest.Licence, 256);
        at.Text("origin", manifest.Origin, 1_024);
        at.Text("description", manifest.Description, 4_096);
        foreach (var (name, digits) in ((string, string)[])[("sha256", manifest.Sha256), ("data_sha256", manifest.DataSha256)])
        {
            if ((digits.Length != 64 || !digits.All(char.IsAsciiHexDigit)) && (digits.Length > 0 || name == "sha256"))
            {
                throw at.Error(name, "must be 64 hexadecimal digits");
            }
        }
        if (manifest.SuggestedThreshold is { } threshold and not (>= -1 and <= 1))
        {
            throw at.Error("suggested_threshold", $"must be between -1 and 1; got {threshold}");
        }
        if (manifest.FalseMatchRate is { } rate)
        {
            at.Between("false_match_rate", rate, 0, 1);
            if (manifest.SuggestedThreshold is null)
            {
                throw at.Error("false_match_rate", "must be absent without suggested_threshold, at which it is measured");
            }
        }
    }

    // What only vectors have.
    private static void CheckUnused(ModelManifest manifest, Field at)
    {
        (string Name, bool IsSet)[] fields =
        [
            ("dimension", manifest.Dimension != 0),
            ("unit_length", manifest.UnitLength),
            ("output", manifest.Output.Length > 0),
            ("suggested_threshold", manifest.SuggestedThreshold is not null),
            ("false_match_rate", manifest.FalseMatchRate is not null),
            ("input.decode", manifest.Input.Decode is not null),
        ];
        if (fields.FirstOrDefault(field => field.IsSet).Name is { } name)
        {
            throw at.Error(
                name,
                name == "input.decode"
                    ? "must be absent: photos in which faces are looked for are decoded at full size"
                    : $"must be absent: a model of kind {Word(manifest.Kind)} has no vectors");
        }
    }

    // The serializer names the place of the error; the kind of error follows from what is declared there.
    private static ModelException Error(JsonException error, string file, JsonElement json, JsonTypeInfo type)
    {
        var field = "";
        foreach (var segment in (error.Path ?? "$").Split('.').Skip(1))
        {
            var name = segment.Split('[')[0];
            field = field.Length == 0 ? name : $"{field}.{name}";
            if (type.Properties.FirstOrDefault(property => property.Name == name) is not { } property)
            {
                return new(file, name.Any(char.IsControl) ? "" : field, "is not a known field", error);
            }
            type = type.Options.GetTypeInfo(property.PropertyType);
            json = json.GetProperty(name);
        }
        if (json.ValueKind == JsonValueKind.Object && type.Kind == JsonTypeInfoKind.Object)
        {
            var missing = type.Properties.FirstOrDefault(
                property => property.IsRequired && !json.TryGetProperty(property.Name, out _));
            if (missing is null)
            {
                return new(file, field, "contains a field that is not known", error);
            }
            return new(file, field.Length == 0 ? missing.Name : $"{field}.{missing.Name}", "is required", error);
        }
        return new(file, field, Expected(type.Type), error);
    }

    private static string Expected(Type type) =>
        (Nullable.GetUnderlyingType(type) ?? type) switch
        {
            { IsEnum: true } words =>
                "must be " + string.Join(" or ", Enum.GetNames(words).Select(JsonNamingPolicy.SnakeCaseLower.ConvertName)),
            var text when text == typeof(string) => "must be a string",
            var flag when flag == typeof(bool) => "must be true or false",
            var whole when whole == typeof(int) => "must be a whole number",
            var number when number == typeof(float) => "must be a number",
            var channels when channels == typeof(IReadOnlyList<float>) => "must be three numbers",
            var list when list == typeof(IReadOnlyList<int>) => "must be a list of whole numbers",
            var list when list == typeof(IReadOnlyList<string>) => "must be a list of strings",
            var lists when lists == typeof(IReadOnlyList<IReadOnlyList<int>>) => "must be a list of lists of whole numbers",
            _ => "must be a JSON object",
        };

    private static void OmitUnused(JsonTypeInfo type)
    {
        foreach (var property in type.Type == typeof(ModelManifest) ? type.Properties : [])
        {
            property.ShouldSerialize = property.Name switch
            {
                "data_sha256" => static (_, value) => value is string { Length: > 0 },
                "unit_length" or "output" => static (manifest, _) => ((ModelManifest)manifest).Embeds,
                _ => property.ShouldSerialize,
            };
        }
    }

    /// <summary>Place of a field, for messages.</summary>
    /// <param name="File">Name of the file.</param>
    /// <param name="Prefix">Path of the object with a dot at the end, or empty.</param>
    internal readonly record struct Field(string File, string Prefix)
    {
        public ModelException Error(string name, string message) => new(File, Prefix + name, message);

        public void Between(string name, int value, int min, int max)
        {
            if (value < min || value > max)
            {
                throw Error(name, $"must be between {min:N0} and {max:N0}; got {value:N0}");
            }
        }

        public void Between(string name, float value, float min, float max)
        {
            if (!(value >= min && value <= max))
            {
                throw Error(name, string.Create(CultureInfo.InvariantCulture, $"must be between {min} and {max}; got {value}"));
            }
        }

        public void Text(string name, string value, int maxLength)
        {
            if (value.Length > maxLength)
            {
                throw Error(name, $"must have at most {maxLength:N0} characters; got {value.Length:N0}");
            }
            // These texts are shown in terminals and logs.
            if (value.Any(char.IsControl))
            {
                throw Error(name, "must not contain control characters");
            }
        }
    }
}

[JsonSerializable(typeof(ModelManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;

/// <summary>Enumerations in snake_case, exactly.</summary>
internal sealed class WordConverter<T> : JsonConverter<T>
    where T : struct, Enum
{
    public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var word = reader.GetString();
        foreach (var value in Enum.GetValues<T>())
        {
            if (ManifestFile.Word(value) == word)
            {
                return value;
            }
        }
        throw new JsonException();
    }

    public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) =>
        writer.WriteStringValue(ManifestFile.Word(value));
}

/// <summary>A list of numbers or strings, written on one line.</summary>
internal class LineConverter<T> : JsonConverter<IReadOnlyList<T>>
{
    public override IReadOnlyList<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }
        var values = new List<T>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            values.Add(Line.Read<T>(ref reader));
        }
        return values;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<T> value, JsonSerializerOptions options) =>
        writer.WriteRawValue(Line.Of(value));
}

/// <summary>One value per channel.</summary>
internal sealed class ChannelsConverter : LineConverter<float>
{
    public override IReadOnlyList<float> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        base.Read(ref reader, typeToConvert, options) is { Count: 1 or 3 } values ? values : throw new JsonException();
}

/// <summary>A list of lists of whole numbers, written on one line.</summary>
internal sealed class GroupsConverter : JsonConverter<IReadOnlyList<IReadOnlyList<int>>>
{
    private static readonly LineConverter<int> Group = new();

    public override IReadOnlyList<IReadOnlyList<int>> Read(
        ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }
        var groups = new List<IReadOnlyList<int>>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            groups.Add(Group.Read(ref reader, typeToConvert, options));
        }
        return groups;
    }

    public override void Write(
        Utf8JsonWriter writer, IReadOnlyList<IReadOnlyList<int>> value, JsonSerializerOptions options) =>
        writer.WriteRawValue($"[{string.Join(", ", value.Select(Line.Of))}]");
}

/// <summary>Lists on one line; an indented writer would take a line for each value.</summary>
file static class Line
{
    public static T Read<T>(ref Utf8JsonReader reader)
    {
        if (typeof(T) == typeof(string))
        {
            return (T)(object)(reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw new JsonException());
        }
        if (reader.TokenType != JsonTokenType.Number)
        {
            throw new JsonException();
        }
        if (typeof(T) == typeof(int))
        {
            return reader.TryGetInt32(out var whole) ? (T)(object)whole : throw new JsonException();
        }
        return reader.TryGetSingle(out var number) ? (T)(object)number : throw new JsonException();
    }

    public static string Of<T>(IReadOnlyList<T> values) => $"[{string.Join(", ", values.Select(Json))}]";

    private static string Json<T>(T value) => value switch
    {
        string text => $"\"{JsonEncodedText.Encode(text, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new ArgumentException("The value must be a number or a string.", nameof(value)),
    };
}
