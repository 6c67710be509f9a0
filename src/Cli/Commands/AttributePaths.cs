using System.Text;
using Embeddings.V1;

namespace Embeddings.Cli.Commands;

/// <summary>
/// Attributes as arguments: <c>year</c>, <c>camera.lens</c> for a nested one, and <c>"a.b".c</c> for names with dots, with
/// <c>=TYPE</c> behind the path for an indexed attribute.
/// </summary>
internal static class AttributePaths
{
    public const string Help = "PATH=TYPE";

    private const string Types = "text, number, flag, or time";

    /// <summary>Parses an indexed attribute: <c>camera.lens=number</c>.</summary>
    /// <exception cref="ToolException">The argument is invalid.</exception>
    public static IndexedAttribute ParseIndexed(string text, string option)
    {
        var at = text.LastIndexOf('=');
        var type = (at < 0 ? "" : text[(at + 1)..]) switch
        {
            "text" => AttributeType.Text,
            "number" => AttributeType.Number,
            "flag" => AttributeType.Flag,
            "time" => AttributeType.Time,
            _ => throw ArgumentErrors.New($"{option} must be {Help} with the type {Types}; got '{text}'."),
        };
        return new() { Path = Parse(text[..at], option), Type = type };
    }

    /// <summary>Parses a path.</summary>
    /// <exception cref="ToolException">The argument is invalid.</exception>
    public static AttributePath Parse(string text, string option)
    {
        var path = new AttributePath();
        var name = new StringBuilder();
        var (isQuoted, wasQuoted) = (false, false);
        foreach (var c in text)
        {
            switch (c)
            {
                case '"':
                    isQuoted = !isQuoted;
                    wasQuoted = true;
                    break;
                case '.' when !isQuoted:
                    Add();
                    break;
                default:
                    name.Append(c);
                    break;
            }
        }
        Add();
        return isQuoted ? throw Invalid("it has a quotation mark without its second one") : path;

        void Add()
        {
            if (name.Length == 0)
            {
                throw Invalid(wasQuoted ? "a name must not be empty" : "a name is missing");
            }
            path.Names.Add($"{name}");
            name.Clear();
            wasQuoted = false;
        }

        Exception Invalid(string why) => ArgumentErrors.New(
            $"{option} must name an attribute, such as year, camera.lens, or \"a.b\".c; got '{text}': {why}.");
    }

    /// <summary>Returns an indexed attribute as an argument.</summary>
    public static string Text(IndexedAttribute attribute)
    {
        var names = attribute.Path.Names.Select(name => name.Contains('.', StringComparison.Ordinal) ? $"\"{name}\"" : name);
        return $"{string.Join('.', names)}={attribute.Type.ToString().ToLowerInvariant()}";
    }
}
