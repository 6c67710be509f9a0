using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Embeddings.Primitives;

namespace Embeddings.Cli;

/// <summary>Errors of the command line, with the nearest name of a misspelt command or option.</summary>
internal static class ArgumentErrors
{
    public const string Reason = "ARGUMENT_INVALID";

    /// <summary>Creates the error of arguments that are found to be wrong when the command runs.</summary>
    public static ToolException New(string message) => new(message, reason: Reason);

    /// <summary>Returns the first error of the arguments, or null.</summary>
    public static string? Of(ParseResult parsed, IReadOnlyList<string> args)
    {
        var result = parsed.CommandResult;
        if (parsed.Action is not ParseErrorAction && !ReferenceEquals(parsed.Action, result.Command.Action))
        {
            // Help or version.
            return null;
        }
        var unknown = MisreadOptions(result, args)
            .Concat(parsed.UnmatchedTokens.Where(_ => result.Command.TreatUnmatchedTokensAsErrors));
        if (unknown.FirstOrDefault() is { } token)
        {
            return Unrecognized(result, token);
        }
        return parsed.Errors is [var first, ..] ? Text(first) : null;
    }

    /// <summary>True if the arguments end before the name of a command.</summary>
    public static bool IsWithoutCommand(ParseResult parsed) =>
        parsed.CommandResult.Command is { Action: null, Subcommands.Count: > 0 } && parsed.UnmatchedTokens.Count == 0
        && parsed.Action is ParseErrorAction;

    /// <summary>Returns the error of an argument that is neither a command nor an option.</summary>
    public static string Unrecognized(CommandResult result, string token)
    {
        var path = Path(result);
        if (token.StartsWith('-') && token.Length > 1)
        {
            var name = token.Split('=')[0];
            var options = Options(result);
            var hint = Hint(NearestName.Of(name, options));
            if (hint.Length == 0 && result.Command.Arguments.Count > 0)
            {
                hint = " Write -- before arguments that begin with a hyphen.";
            }
            return options.Contains(name)
                ? $"Option '{name}' must follow the name of its command, and may need a value."
                : $"'{name}' is not an option of '{path}'.{hint}";
        }
        if (result.Command.Subcommands.Count == 0)
        {
            return $"Unexpected argument '{token}'.";
        }
        var commands = result.Command.Subcommands.Select(command => command.Name).ToList();
        var near = NearestName.Of(token, commands);
        return $"'{token}' is not a command of '{path}'."
            + (near is null ? $" The commands are {string.Join(", ", commands)}." : Hint(near));
    }

    /// <summary>Returns the command with its parents, for example <c>embeddings models add</c>.</summary>
    public static string Path(SymbolResult? result)
    {
        var names = new List<string>();
        for (; result is CommandResult command; result = result.Parent)
        {
            names.Insert(0, command.Command.Name);
        }
        return string.Join(' ', names);
    }

    private static string Hint(string? near) => near is null ? "" : $" Did you mean '{near}'?";

    // An argument of several files accepts any token, also a misspelt option. After --, all tokens are arguments.
    private static IEnumerable<string> MisreadOptions(CommandResult result, IReadOnlyList<string> args)
    {
        var literal = args.SkipWhile(arg => arg != "--").ToList();
        return result.Children.OfType<ArgumentResult>()
            .SelectMany(argument => argument.Tokens)
            .Select(token => token.Value)
            .Where(value => value.StartsWith('-') && value.Length > 1 && !literal.Contains(value));
    }

    private static List<string> Options(CommandResult result)
    {
        var names = new List<string>();
        for (SymbolResult? at = result; at is CommandResult command; at = at.Parent)
        {
            names.AddRange(command.Command.Options
                .Where(option => ReferenceEquals(at, result) || option.Recursive)
                .SelectMany(option => option.Aliases.Prepend(option.Name)));
        }
        return names;
    }

    // The library names .NET types and quotes lists in several lines.
    private static string Text(ParseError error)
    {
        if (error.SymbolResult is not OptionResult { Option: var option, Tokens: [var token, ..] })
        {
            return error.Message;
        }
        if (error.Message.Contains("expected type", StringComparison.Ordinal))
        {
            var type = Nullable.GetUnderlyingType(option.ValueType) ?? option.ValueType;
            var kind = type == typeof(bool) ? "true or false" : type == typeof(int) ? "an integer" : "a number";
            return $"{option.Name} must be {kind}; got '{token.Value}'.";
        }
        if (error.Message.Contains("Must be one of", StringComparison.Ordinal) && option.HelpName is { } names)
        {
            var near = NearestName.Of(token.Value, names.Split('|'));
            var allowed = names.Replace("|", " or ", StringComparison.Ordinal);
            return $"{option.Name} must be {allowed}; got '{token.Value}'.{Hint(near)}";
        }
        return error.Message;
    }
}
