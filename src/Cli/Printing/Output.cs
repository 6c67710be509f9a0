using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>
/// Where a command's words go: with <c>--json</c> standard output has one object a line and nothing else, otherwise text for a person. Progress and
/// errors always go to standard error. Thread-safe.
/// </summary>
internal sealed class Output(TextWriter stdout, TextWriter stderr, bool json)
{
    // A redirected table is read by programs and wide editors: it must not be folded at 80 columns.
    private const int RedirectedWidth = 200;

    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock _lock = new();

    public bool Json => json;

    public TextWriter Error => stderr;

    /// <summary>Takes the notes while a bar moves on standard error, which must know of every line; null otherwise.</summary>
    public Action<string>? NoteWriter { get; set; }

    /// <summary>Whether standard error is a terminal on which a bar can move.</summary>
    public bool HasTerminal => ReferenceEquals(stderr, Console.Error) && !Console.IsErrorRedirected;

    /// <summary>A line for a person; dropped with <c>--json</c>.</summary>
    public void Line(string text = "")
    {
        if (!json)
        {
            Write(stdout, text);
        }
    }

    /// <summary>An object for a program; dropped without <c>--json</c>. The braces are written here.</summary>
    public void Object(Action<Utf8JsonWriter> fields)
    {
        if (!json)
        {
            return;
        }
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Compact))
        {
            writer.WriteStartObject();
            fields(writer);
            writer.WriteEndObject();
        }
        Write(stdout, Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    /// <summary>A line on standard error: progress, notices, errors of single items.</summary>
    public void Note(string text)
    {
        if (NoteWriter is { } write)
        {
            write(text);
        }
        else
        {
            Write(stderr, text);
        }
    }

    /// <summary>A table for a person; dropped with <c>--json</c>.</summary>
    public void Table(Table table)
    {
        if (json)
        {
            return;
        }
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(stdout) });
        if (Console.IsOutputRedirected || !ReferenceEquals(stdout, Console.Out))
        {
            console.Profile.Width = RedirectedWidth;
        }
        lock (_lock)
        {
            console.Write(table);
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
