using System.Text.Json;

namespace Embeddings.Cli.Tests;

/// <summary>Result of a run of the command.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error)
{
    public IReadOnlyList<string> Lines => Split(Output);

    public IReadOnlyList<string> ErrorLines => Split(Error);

    /// <summary>Standard output as one JSON object per line.</summary>
    public IReadOnlyList<JsonElement> Objects => [.. Lines.Select(line => JsonDocument.Parse(line).RootElement)];

    /// <summary>Runs the command in this process.</summary>
    public static async Task<CommandResult> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = await EmbeddingsCommand.RunAsync(args, output, error);
        return new CommandResult(code, output.ToString(), error.ToString());
    }

    private static string[] Split(string text) =>
        text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}

/// <summary>Reads values of JSON objects.</summary>
internal static class JsonElementExtensions
{
    /// <summary>Returns the value at a path of names and indices, for example <c>faces.0.bbox.x</c>.</summary>
    public static JsonElement At(this JsonElement element, string path) => path.Split('.').Aggregate(
        element, (at, part) => int.TryParse(part, out var index) ? at[index] : at.GetProperty(part));

    /// <summary>Returns the values at some paths as they are written, strings without quotes.</summary>
    public static string[] Texts(this JsonElement element, params string[] paths) => [.. paths.Select(path => Text(element.At(path)))];

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
}
