using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>
/// Output of a command. With <c>--json</c>, standard output has one JSON object per line and nothing else; otherwise it
/// has text. Progress and errors go to standard error, with <c>--json</c> as JSON objects, too. Thread-safe.
/// </summary>
/// <param name="stdout">Standard output.</param>
/// <param name="stderr">Standard error.</param>
/// <param name="json">Whether to write JSON.</param>
/// <param name="width">Width of the terminal, or null if standard output is not a terminal.</param>
internal sealed class Output(TextWriter stdout, TextWriter stderr, bool json, int? width = null)
{
    private static readonly JsonSerializerOptions Compact = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    };

    private static readonly JsonSerializerOptions WithoutNulls =
        new(Compact) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly Lock _lock = new();

    public bool Json => json;

    public TextWriter Error => stderr;

    /// <summary>Receives the notes while a progress bar is active on standard error; otherwise null.</summary>
    public Action<string>? NoteWriter { get; set; }

    /// <summary>True if standard error is a terminal that can show a progress bar.</summary>
    public bool HasTerminal => ReferenceEquals(stderr, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>Writes a line of text. Ignored with <c>--json</c>.</summary>
    public void Line(string text = "")
    {
        if (!json)
        {
            Write(stdout, text);
        }
    }

    /// <summary>
    /// Writes an object as JSON, with names in snake case. Ignored without <c>--json</c>.
    /// </summary>
    /// <param name="fields">The object, normally of an anonymous type.</param>
    /// <param name="omitNulls">Whether fields that are null are omitted.</param>
    public void Object(object fields, bool omitNulls = false)
    {
        if (json)
        {
            Write(stdout, Serialize(fields, omitNulls));
        }
    }

    /// <summary>Returns an object as JSON in one line.</summary>
    public static string Serialize(object fields, bool omitNulls = false) =>
        JsonSerializer.Serialize(fields, omitNulls ? WithoutNulls : Compact);

    /// <summary>Writes a line to standard error: progress, notices, errors of single items.</summary>
    public void Note(string text)
    {
        text = json ? Serialize(new { Note = text }) : text;
        if (NoteWriter is { } write)
        {
            write(text);
        }
        else
        {
            Write(stderr, text);
        }
    }

    /// <summary>Writes a table. Ignored with <c>--json</c>.</summary>
    public void Table(TextTable table)
    {
        if (json)
        {
            return;
        }
        lock (_lock)
        {
            if (width is { } columns)
            {
                var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(stdout) });
                console.Profile.Width = columns;
                table.WriteTo(console);
            }
            else
            {
                table.Lines().ToList().ForEach(stdout.WriteLine);
            }
        }
    }

    private void Write(TextWriter writer, string text)
    {
        lock (_lock)
        {
            writer.WriteLine(text);
        }
    }
}
