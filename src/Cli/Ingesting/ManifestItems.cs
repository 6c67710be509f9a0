using System.Runtime.CompilerServices;
using System.Text;

namespace Embeddings.Cli.Ingesting;

/// <summary>The lines of a manifest as items. Empty lines are passed over; a malformed one is an item of its own that says what is wrong.</summary>
internal static class ManifestItems
{
    // Enough to recognise the line by; the whole of it may be megabytes of anything.
    private const int ExcerptBytes = 500;

    public static async Task<long> CountAsync(string manifest, CancellationToken cancellationToken)
    {
        await using var file = File.OpenRead(manifest);
        var count = 0L;
        await foreach (var line in LineReader.ReadAsync(file, cancellationToken))
        {
            count += line.IsBlank ? 0 : 1;
        }
        return count;
    }

    public static async IAsyncEnumerable<IngestItem> ReadAsync(string manifest, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(manifest))!;
        await using var file = File.OpenRead(manifest);
        await foreach (var line in LineReader.ReadAsync(file, cancellationToken))
        {
            if (!line.IsBlank)
            {
                yield return Read(line, folder);
            }
        }
    }

    /// <summary>One line as an item; never throws.</summary>
    public static IngestItem Read(RawLine line, string folder)
    {
        try
        {
            if (line.IsCut)
            {
                throw ItemFault.Line($"the line is longer than {LineReader.MaxLineBytes:N0} bytes");
            }
            var parsed = ManifestLine.Parse(line.Bytes);
            return parsed.Path.Contains('\0')
                ? throw ItemFault.Line("'path' must not contain NUL", "path")
                : IngestItem.Good(line.Number, parsed, Path.GetFullPath(parsed.Path, folder));
        }
        catch (ItemFault fault)
        {
            return IngestItem.Malformed(line.Number, fault.Error, Encoding.UTF8.GetString(line.Bytes.Span[..Math.Min(line.Bytes.Length, ExcerptBytes)]));
        }
    }
}
