using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Embeddings.Cli.Filtering;
using Embeddings.Tooling.Ingesting;
using Embeddings.V1;
using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Cli.Commands;

/// <summary>Options that several commands share. Each command gets its own instances.</summary>
internal static class CommonOptions
{
    /// <summary>Returns an environment variable, or a default value if it is not set or empty.</summary>
    public static string FromEnvironment(string name, string byDefault) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : byDefault;

    /// <summary>Creates an option for a text.</summary>
    public static Option<string?> Text(string name, string? helpName, string description, params string[] aliases) =>
        new(name, aliases) { Description = description, HelpName = helpName };

    /// <summary>Creates the option of commands that send images.</summary>
    public static Option<ItemKind> Kind() => Kind("Kind of the images. [default: image]");

    /// <summary>Creates an option for a kind of items.</summary>
    /// <param name="description">Description.</param>
    /// <param name="kinds">Kinds that the command accepts.</param>
    public static Option<ItemKind> Kind(string description, params string[] kinds)
    {
        kinds = kinds is [] ? ["image", "face"] : kinds;
        return new Option<ItemKind>("--kind", "-k") { Description = description, HelpName = string.Join('|', kinds) }
            .AcceptOnlyFromAmong(kinds);
    }

    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "Name of the model. [default: the server's default model of the kind]",
        DefaultValueFactory = _ => "",
    };

    /// <summary>Creates an option for an integer within bounds.</summary>
    public static Option<int> Number(
        string name, int byDefault, int minimum, int maximum, string description, params string[] aliases)
    {
        var option = new Option<int>(name, aliases) { Description = description, DefaultValueFactory = _ => byDefault };
        option.Validators.Add(result => CheckRange(result, name, minimum, maximum));
        return option;
    }

    public static Option<string?> Landmarks() => Text(
        "--landmarks",
        "x,y,x,y,x,y,x,y,x,y",
        "Five points of the face in pixels of the image: left eye, right eye, nose, left and right mouth corner. "
        + "Without it, the image must be an aligned crop.");

    /// <summary>Creates the option that sends an image as a face without the check that it is not a whole photo.</summary>
    public static Option<bool> Aligned() => new("--aligned")
    {
        Description = "With --kind face: the images are aligned crops, whatever their size and shape. Without it, an image that is "
            + "plainly a whole photo is rejected.",
    };

    /// <summary>Creates the option for a collection of faces.</summary>
    public static Option<string> Faces() => new("--collection", "-c")
    {
        Description = "Name of the collection with the faces. [default: face_embeddings]",
        DefaultValueFactory = _ => ItemKind.Face.Collection(),
    };

    /// <summary>Creates an option for a similarity from which two faces show the same person.</summary>
    public static Option<float?> Threshold(string description)
    {
        var option = new Option<float?>("--threshold", "-t") { Description = description };
        option.Validators.Add(result => CheckRange(result, "--threshold", -1, 1));
        return option;
    }

    /// <summary>Creates an option for a number from 0 to 1.</summary>
    public static Option<float?> Fraction(string name, string description)
    {
        var option = new Option<float?>(name) { Description = description };
        option.Validators.Add(result => CheckRange(result, name, 0, 1));
        return option;
    }

    /// <summary>Reports a number that is out of range. A text that is not a number is reported by the parser.</summary>
    public static void CheckRange(OptionResult result, string name, double minimum, double maximum)
    {
        if (result.Tokens is [var token]
            && double.TryParse(token.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && !(number >= minimum && number <= maximum))
        {
            result.AddError(FormattableString.Invariant($"{name} must be between {minimum} and {maximum}; got {token.Value}."));
        }
    }

    /// <summary>Parses the value of <see cref="Landmarks"/>.</summary>
    /// <exception cref="ToolException">The value is invalid, or the kind is not face.</exception>
    public static FaceLandmarks? ParseLandmarks(string? text, ItemKind kind)
    {
        if (text is null)
        {
            return null;
        }
        if (kind != ItemKind.Face)
        {
            throw ArgumentErrors.New("--landmarks requires --kind face.");
        }
        var values = Floats(text);
        return values is { Count: 2 * FacePoints.Count }
            ? FacePoints.From(values.Chunk(2).Select(pair => (pair[0], pair[1])))
            : throw ArgumentErrors.New($"--landmarks must be ten numbers separated by commas; got '{text}'.");
    }

    /// <summary>Parses finite numbers separated by commas. Returns null if one is invalid.</summary>
    public static IReadOnlyList<float>? Floats(string text)
    {
        var values = text.Split(',')
            .Select(part => Single(part) ?? float.NaN)
            .ToList();
        return values.All(float.IsFinite) ? values : null;
    }

    private static float? Single(string text) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>Parses a size, for example <c>640x480</c>. Returns null if it is invalid.</summary>
    public static (int Width, int Height)? Size(string text, int maximum) => text.Split('x') is [var width, var height]
        && int.TryParse(width, NumberStyles.None, CultureInfo.InvariantCulture, out var w) && w > 0 && w <= maximum
        && int.TryParse(height, NumberStyles.None, CultureInfo.InvariantCulture, out var h) && h > 0 && h <= maximum
            ? (w, h)
            : null;

    /// <summary>Reports a parse error, which ends with the value, and returns the default value.</summary>
    public static T? Error<T>(ArgumentResult result, string requirement)
    {
        result.AddError($"{requirement}; got '{result.Tokens[0].Value}'.");
        return default;
    }
}

/// <summary>Options that select a collection: its name, or the kind whose default collection it is.</summary>
internal sealed class CollectionOptions
{
    private readonly Option<string?> _name = CommonOptions.Text(
        "--collection", null, "Name of the collection. [default: image_embeddings or face_embeddings, by the kind]", "-c");

    private CollectionOptions(Option<ItemKind> kind) => Kind = kind;

    public Option<ItemKind> Kind { get; }

    /// <summary>Creates the options of a command that sends images.</summary>
    public static CollectionOptions WithImages() => new(CommonOptions.Kind());

    /// <summary>Creates the options of a command that sends images or photos.</summary>
    public static CollectionOptions WithPhotos() => new(CommonOptions.Kind(
        "Kind of the images: image, one vector of each; face, aligned crops; photo, all faces in each. [default: image]",
        "image",
        "face",
        "photo"));

    /// <summary>
    /// Creates the options of a command without images: the kind only selects the collection, so that it cannot be
    /// combined with a name.
    /// </summary>
    public static CollectionOptions WithoutImages() => new(CommonOptions.Kind(
        "Use the default collection of this kind: image_embeddings or face_embeddings. [default: image]"));

    public void AddTo(Command command)
    {
        command.Add(Kind);
        command.Add(_name);
    }

    /// <summary>Rejects a kind together with a name.</summary>
    public void RequireOne(CommandResult result)
    {
        if (result.GetResult(Kind) is { Implicit: false } && IsNamed(result))
        {
            result.AddError("--kind selects a default collection. Set either --kind or --collection.");
        }
    }

    /// <summary>True if a name is given.</summary>
    public bool IsNamed(SymbolResult result) => result.GetResult(_name) is { Implicit: false };

    /// <summary>True if a name or a kind is given.</summary>
    public bool IsGiven(SymbolResult result) => IsNamed(result) || result.GetResult(Kind) is { Implicit: false };

    /// <summary>Returns the given collection or the default collection of the kind.</summary>
    public string Read(ParseResult parsed) => parsed.GetValue(_name) ?? parsed.GetValue(Kind).Collection();
}

/// <summary>Options that select points. All given conditions must hold.</summary>
internal sealed partial class FilterOptions
{
    private const string Forms = "KEY=VALUE, or KEY>NUMBER with >, >=, < or <=";

    private readonly Option<string?> _jobId = CommonOptions.Text("--job-id", null, "Only points of this job.");

    private readonly Option<string?> _mediaStoreId =
        CommonOptions.Text("--media-store-id", null, "Only points of this media item.");

    private readonly Option<int?> _faceIndex =
        new("--face-index") { Description = "Only faces with this index in their job." };

    private readonly Option<string[]> _attribute = new("--attribute")
    {
        Description = "Only points with this attribute: key=value, or key>number, >=, <, <=. Can be repeated. "
            + "Numbers, true and false are typed values; quote a string that looks like one: key='\"1\"'.",
        HelpName = "KEY=VALUE",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> _filter =
        CommonOptions.Text("--filter", "FILTER", "Only points that match this filter: " + FilterParser.Syntax, "-f");

    public void AddTo(Command command)
    {
        command.Add(_jobId);
        command.Add(_mediaStoreId);
        command.Add(_faceIndex);
        command.Add(_attribute);
        command.Add(_filter);
    }

    /// <summary>Returns the filter, or null if there are no conditions.</summary>
    public Filter? Read(ParseResult parsed)
    {
        var filter = new Filter();
        if (parsed.GetValue(_jobId) is { } jobId)
        {
            filter.JobId = jobId;
        }
        if (parsed.GetValue(_mediaStoreId) is { } mediaStoreId)
        {
            filter.MediaStoreId = mediaStoreId;
        }
        if (parsed.GetValue(_faceIndex) is { } faceIndex)
        {
            filter.FaceIndex = faceIndex;
        }
        filter.Attributes.AddRange(parsed.GetValue(_attribute)!.Select(ParseAttribute));
        if (parsed.GetValue(_filter) is { } expression)
        {
            filter.All.Add(FilterParser.Parse(expression));
        }
        return filter.Equals(new Filter()) ? null : filter;
    }

    /// <summary>
    /// Parses a condition: <c>place=beach</c>, <c>good=true</c>, <c>year=2024</c>, <c>year&gt;=2020</c>, <c>code="1"</c>
    /// (a string).
    /// </summary>
    /// <exception cref="ToolException">The condition is invalid.</exception>
    public static AttributeCondition ParseAttribute(string text)
    {
        var match = Pattern().Match(text);
        if (!match.Success)
        {
            throw ArgumentErrors.New($"--attribute must be {Forms}; got '{text}'.");
        }
        var key = match.Groups["key"].Value.Trim();
        var value = match.Groups["value"].Value.Trim();
        // Operators of other languages would be a part of the key or of the value, and nothing would match.
        if (match.Groups["other"].Length > 0 || value is ['=' or '<' or '>', ..] || key.Length == 0)
        {
            throw ArgumentErrors.New(
                $"--attribute must be {Forms}; got '{text}'. There are no other operators; --filter has more. Quote a key or a "
                + "value that contains one: '\"a!\"=b', 'a=\"=b\"'.");
        }
        if (match.Groups["is"].Value == "=")
        {
            return Equal(key, value);
        }
        if (Number(value) is not { } bound)
        {
            throw ArgumentErrors.New($"--attribute must compare with a number; got '{text}'.");
        }
        var range = match.Groups["is"].Value switch
        {
            ">" => new NumericRange { Gt = bound },
            ">=" => new NumericRange { Gte = bound },
            "<" => new NumericRange { Lt = bound },
            _ => new NumericRange { Lte = bound },
        };
        return new AttributeCondition { Key = key, Range = range };
    }

    /// <summary>Parses an attribute to store: <c>place=beach</c>, <c>good=true</c>, <c>year=2024</c>, <c>code="1"</c> (a string).</summary>
    /// <exception cref="ToolException">The attribute is invalid.</exception>
    public static (string Key, Value Value) ParseValue(string text)
    {
        var condition = ParseAttribute(text);
        return condition.ConditionCase switch
        {
            AttributeCondition.ConditionOneofCase.Text => (condition.Key, Value.ForString(condition.Text)),
            AttributeCondition.ConditionOneofCase.Number => (condition.Key, Value.ForNumber(condition.Number)),
            AttributeCondition.ConditionOneofCase.Flag => (condition.Key, Value.ForBool(condition.Flag)),
            _ => throw ArgumentErrors.New($"--attribute must be KEY=VALUE; got '{text}'."),
        };
    }

    private static AttributeCondition Equal(string key, string value) => value switch
    {
        "true" or "false" => new AttributeCondition { Key = key, Flag = value == "true" },
        ['"', .. var text, '"'] => new AttributeCondition { Key = key, Text = text },
        _ when Number(value) is { } number => new AttributeCondition { Key = key, Number = number },
        _ => new AttributeCondition { Key = key, Text = value },
    };

    private static double? Number(string value)
    {
        if (!WholeNumbers.IsExact(value))
        {
            throw new ToolException($"--attribute {WholeNumbers.Refusal(value)} KEY=\"{value}\" is a string.");
        }
        return double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
            ? number
            : null;
    }

    [GeneratedRegex(
        """^\s*(?:"(?<key>[^"]*)"\s*|(?<key>[^=<>"]+?)(?<other>[!~^$*:]*))(?<is>>=|<=|=|>|<)(?<value>.*)$""",
        RegexOptions.Singleline)]
    private static partial Regex Pattern();
}
