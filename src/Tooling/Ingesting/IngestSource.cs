using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using System.Text;
using Embeddings.Core.Imaging;
using Embeddings.Tooling.Items;
using Embeddings.V1;

namespace Embeddings.Tooling.Ingesting;

/// <summary>An item to ingest, or the reason why it is invalid.</summary>
/// <param name="Number">Line number in the item list, or index among the files of the directory; from 1.</param>
/// <param name="Line">The item, or null if its line is invalid.</param>
/// <param name="File">Absolute path of the image, or empty if the line is invalid.</param>
/// <param name="Error">Error of an invalid line; otherwise null.</param>
/// <param name="Text">Beginning of an invalid line; otherwise empty.</param>
internal sealed record IngestItem(long Number, ItemListLine? Line, string File, ItemError? Error = null, string Text = "")
{
    /// <summary>
    /// Path of the image as the user gave it: below the given directory, or below that of the given list. Empty if the line is
    /// invalid.
    /// </summary>
    public string Given { get; init; } = "";
}

/// <summary>Files of a directory that are not items.</summary>
/// <param name="Hidden">Number of hidden files and directories. The content of a hidden directory is not counted.</param>
/// <param name="NotImages">Number of files that have neither the extension nor the content of an image.</param>
internal readonly record struct IgnoredFiles(int Hidden, int NotImages)
{
    /// <summary>Returns the counts that are not 0 as text, or an empty string.</summary>
    public override string ToString() => string.Join(" and ", new[]
    {
        Text(Hidden, "hidden file or directory", "hidden files or directories"),
        Text(NotImages, "file that is not an image", "files that are not images"),
    }.OfType<string>());

    private static string? Text(int count, string one, string several) => count switch
    {
        0 => null,
        1 => $"1 {one}",
        _ => $"{count:N0} {several}",
    };
}

/// <summary>The items of a directory of images or of an item list. Only file names are kept in memory.</summary>
/// <param name="Name">Short name for progress and file names.</param>
/// <param name="Total">Number of items.</param>
/// <param name="Items">The items, in order. Enumerate once.</param>
/// <param name="Ignored">Files of the directory that are not items.</param>
internal sealed record IngestSource(
    string Name, long Total, IAsyncEnumerable<IngestItem> Items, IgnoredFiles Ignored = default)
{
    // Formats that the server does not read are sent, too: their error says so.
    private static readonly string[] ImageExtensions =
    [
        ".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".jxl", ".png", ".tif", ".tiff", ".webp",
    ];

    // Enough to recognize a format.
    private const int HeaderBytes = 256;

    // Enough to recognize the line. A whole line can be megabytes of anything.
    private const int ExcerptBytes = 500;

    private static readonly string[] ListExtensions = [".jsonl", ".ndjson", ".json"];

    /// <summary>Opens a directory or an item list.</summary>
    /// <param name="path">A directory, or an item list (.jsonl, .ndjson or .json).</param>
    /// <param name="recursive">Whether to include subdirectories.</param>
    /// <param name="except">A file in the directory that is not an item: the list of failed items.</param>
    /// <param name="cancellationToken">Cancels counting.</param>
    /// <exception cref="ToolException">
    /// The path is neither a directory nor an item list, or it contains nothing to ingest.
    /// </exception>
    public static async Task<IngestSource> OpenAsync(
        string path, bool recursive, string? except, CancellationToken cancellationToken)
    {
        var full = Path.GetFullPath(path);
        var name = NameOf(full);
        if (Directory.Exists(full))
        {
            var files = FindFiles(full, recursive, except, out var ignored);
            var others = ignored == default ? "" : $"; skipped {ignored}";
            return files.Count > 0
                ? new IngestSource(name, files.Count, FilesAsync(path, full, files), ignored)
                : throw new ToolException($"Directory '{path}' contains no images{others}.");
        }
        if (!File.Exists(full))
        {
            throw new ToolException($"File or directory '{path}' does not exist.");
        }
        if (!ListExtensions.Contains(Path.GetExtension(full), StringComparer.OrdinalIgnoreCase))
        {
            throw new ToolException(
                $"'{path}' is neither a directory nor an item list ({string.Join(", ", ListExtensions)}).");
        }
        var lines = await CountAsync(full, cancellationToken);
        return lines > 0
            ? new IngestSource(name, lines, LinesAsync(path, full, cancellationToken))
            : throw new ToolException($"Item list '{path}' contains no items.");
    }

    /// <summary>Returns the name of a directory, or of an item list without its extension.</summary>
    public static string NameOf(string path)
    {
        var last = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        var name = Directory.Exists(path) ? last : Path.GetFileNameWithoutExtension(last);
        return name.Length > 0 ? name : "ingest";
    }

    // In ordinal order, so that two runs use the same order.
    private static List<string> FindFiles(string folder, bool recursive, string? except, out IgnoredFiles ignored)
    {
        var options = new EnumerationOptions
        {
            RecurseSubdirectories = recursive,
            AttributesToSkip = 0,
            IgnoreInaccessible = true,
        };
        var hidden = 0;
        var found = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToFullPath(), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) =>
            {
                hidden += entry.IsHidden ? 1 : 0;
                return !entry.IsHidden && !entry.IsDirectory;
            },
            // A link to a directory can lead to a parent and never end.
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
                !entry.IsHidden && (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        var files = found.Where(file => file != except).ToList();
        var images = files.FindAll(IsImage);
        ignored = new(hidden, files.Count - images.Count);
        return [.. images.Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal)];
    }

    // An image with a damaged beginning has the extension, an image from a cache or a database only the content.
    private static bool IsImage(string file)
    {
        if (ImageExtensions.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase))
        {
            return true;
        }
        try
        {
            // A pipe has no length, and opening it would wait for a writer.
            if (new FileInfo(file).Length == 0)
            {
                return false;
            }
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            var header = new byte[HeaderBytes];
            return ImageSniffer.Sniff(header.AsSpan(0, stream.ReadAtLeast(header, header.Length, false))) != FileFormat.Unknown;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // The job id is the relative path with slashes and with its extension, so that a.jpg and a.png are two items.
    private static IAsyncEnumerable<IngestItem> FilesAsync(string given, string folder, List<string> files) => files
        .Select((file, i) => new IngestItem(
            i + 1,
            new ItemListLine { Path = file, JobId = file.Replace(Path.DirectorySeparatorChar, '/') },
            Path.Combine(folder, file))
        {
            Given = Path.Combine(given, file),
        })
        .ToAsyncEnumerable();

    private static async Task<long> CountAsync(string list, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(list);
        return await LineReader.ReadAsync(file, cancellationToken).CountAsync(line => !line.IsBlank, cancellationToken);
    }

    private static async IAsyncEnumerable<IngestItem> LinesAsync(
        string given, string list, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var folder = Path.GetDirectoryName(list)!;
        var givenFolder = Path.GetDirectoryName(given) ?? "";
        await using var file = File.OpenRead(list);
        await foreach (var line in LineReader.ReadAsync(file, cancellationToken))
        {
            if (!line.IsBlank)
            {
                yield return Read(line, folder, givenFolder);
            }
        }
    }

    private static IngestItem Read(RawLine line, string folder, string givenFolder)
    {
        try
        {
            var parsed = ItemListLine.Parse(line);
            parsed.CheckForIngest();
            var given = Path.Combine(givenFolder, parsed.Path);
            return new(line.Number, parsed, Path.GetFullPath(parsed.Path, folder)) { Given = given };
        }
        catch (ItemFault fault)
        {
            var text = Encoding.UTF8.GetString(line.Bytes.Span[..Math.Min(line.Bytes.Length, ExcerptBytes)]);
            return new(line.Number, null, "", fault.Error, text);
        }
    }
}
