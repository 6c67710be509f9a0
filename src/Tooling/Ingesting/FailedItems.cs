using System.Text.Encodings.Web;
using System.Text.Json;
using Embeddings.Tooling.Items;
using Embeddings.V1;

namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// Writes the failed items as they occur: the line of the item list with an absolute path, its number (<c>line</c>), and
/// the error (<c>error</c>). The file is an item list again: correct the cause, then ingest it. An invalid line is
/// written as <c>text</c>.
/// </summary>
/// <param name="path">The file. It is created, or truncated, when the first item fails.</param>
internal sealed class FailedItems(string path) : IDisposable
{
    private static readonly ItemListJson Compact =
        new(new(ItemListJson.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private FileStream? _file;

    public string FilePath { get; } = path;

    /// <summary>Creates the file even if no item fails.</summary>
    public void Open() =>
        _file ??= new FileStream(FilePath, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);

    public void Add(IngestItem item, ItemError error)
    {
        var line = item.Line is { } known ? known with { Path = item.File } : new ItemListLine { Text = item.Text };
        var field = error.Field.Length > 0 ? error.Field : null;
        line = line with
        {
            Line = item.Number,
            Error = new(error.Code, StatusName.Of(error.Code), error.Reason, error.Message, field),
        };
        Open();
        // One unbuffered write per line: whatever ends the command, the file contains complete lines.
        _file!.Write([.. JsonSerializer.SerializeToUtf8Bytes(line, Compact.ItemListLine), (byte)'\n']);
    }

    public void Dispose() => _file?.Dispose();
}
