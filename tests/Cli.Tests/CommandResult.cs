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
