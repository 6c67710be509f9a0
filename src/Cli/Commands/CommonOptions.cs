using System.CommandLine;
using System.Globalization;

namespace Embeddings.Cli.Commands;

/// <summary>Options that several commands share; each command gets its own instances.</summary>
internal static class CommonOptions
{
    public static Option<ItemKind> Kind(bool required = false)
    {
        var option = new Option<ItemKind>("--kind", "-k")
        {
            Description = required ? "What the pictures are: image or face." : "What the picture is: image (the default) or face.",
            HelpName = "image|face",
            Required = required,
        };
        return option.AcceptOnlyFromAmong("image", "face");
    }

    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "Name of the model; the server's default one of the kind where absent.",
        DefaultValueFactory = _ => "",
    };

    public static Option<string?> Collection() => new("--collection", "-c")
    {
        Description = "The collection; image_embeddings or face_embeddings, by the kind, where absent.",
    };

    /// <summary>A whole number within bounds; another is a usage error that tells them.</summary>
    public static Option<int> Number(string name, int byDefault, int minimum, int maximum, string description, params string[] aliases)
    {
        var option = new Option<int>(name, aliases) { Description = description, DefaultValueFactory = _ => byDefault };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, CultureInfo.InvariantCulture, out var number)
                && (number < minimum || number > maximum))
            {
                result.AddError($"{name} is {minimum} to {maximum}, not {number}.");
            }
        });
        return option;
    }

    /// <summary>The collection named, or the kind's own.</summary>
    public static string CollectionOf(this ParseResult parsed, Option<string?> collection, Option<ItemKind> kind) =>
        parsed.GetValue(collection) ?? parsed.GetValue(kind).Collection();
}
