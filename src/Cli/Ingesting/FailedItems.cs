using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Embeddings.Cli.Printing;
using Embeddings.V1;

namespace Embeddings.Cli.Ingesting;

/// <summary>
/// Writes the failed items as they come: the manifest's line, its path absolute, with <c>line</c> (its number) and <c>error</c> added. The file is a
/// manifest again: when what was wrong is repaired, ingest it. A malformed line has its beginning in <c>text</c> instead.
/// </summary>
/// <param name="path">The file; made, or made empty, when the first item fails.</param>
internal sealed class FailedItems(string path) : IDisposable
{
    private static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ArrayBufferWriter<byte> _line = new();
    private FileStream? _file;

    public string FilePath { get; } = path;

    /// <summary>Makes the file, so that it is there, empty, where nothing fails.</summary>
    public void Open() => _file ??= new FileStream(FilePath, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);

    public void Add(IngestItem item, ItemError error)
    {
        _line.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(_line, Compact))
        {
            writer.WriteStartObject();
            if (item.Line is { } line)
            {
                writer.WriteString("path", item.File);
                writer.WriteItem(line.JobId, line.MediaStoreId, line.FaceIndex, line.Bbox, line.Confidence, line.Landmarks, line.Attributes);
            }
            else
            {
                writer.WriteString("text", item.Text);
            }
            writer.WriteNumber("line", item.Number);
            writer.WriteError(error);
            writer.WriteEndObject();
        }
        _line.Write("\n"u8);
        Open();
        // A line in one write, unbuffered: whatever ends the command, the file holds whole lines.
        _file!.Write(_line.WrittenSpan);
    }

    public void Dispose() => _file?.Dispose();
}
