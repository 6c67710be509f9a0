namespace Embeddings.Cli.Ingesting;

/// <summary>Where the items come from: a folder of pictures, or a manifest. Nothing but names is held in memory.</summary>
/// <param name="Name">A short name for progress and file names.</param>
/// <param name="Total">How many items there are.</param>
/// <param name="Items">The items, in order; may be gone through once.</param>
internal sealed record IngestSource(string Name, long Total, IAsyncEnumerable<IngestItem> Items)
{
    private static readonly string[] ManifestExtensions = [".jsonl", ".ndjson", ".json"];

    /// <summary>Opens <paramref name="path"/>; <see cref="CliException"/> where it is neither a folder nor a manifest.</summary>
    /// <param name="path">A folder, or a manifest (.jsonl, .ndjson or .json).</param>
    /// <param name="recursive">Whether a folder's folders are gone through too.</param>
    /// <param name="except">A file that is no picture although it may lie in the folder: the failed items' own.</param>
    /// <param name="cancellationToken">Stops the counting.</param>
    public static async Task<IngestSource> OpenAsync(string path, bool recursive, string? except, CancellationToken cancellationToken)
    {
        var full = Path.GetFullPath(path);
        var name = NameOf(full);
        if (Directory.Exists(full))
        {
            var files = DirectoryItems.Find(full, recursive, except);
            return new IngestSource(name, files.Count, DirectoryItems.ReadAsync(full, files));
        }
        if (!File.Exists(full))
        {
            throw new CliException($"there is no file or folder '{path}'");
        }
        if (!ManifestExtensions.Contains(Path.GetExtension(full), StringComparer.OrdinalIgnoreCase))
        {
            throw new CliException($"'{path}' is neither a folder nor a manifest ({string.Join(", ", ManifestExtensions)})");
        }
        var total = await ManifestItems.CountAsync(full, cancellationToken);
        return new IngestSource(name, total, ManifestItems.ReadAsync(full, cancellationToken));
    }

    /// <summary>The folder's name, or the manifest's without its extension.</summary>
    public static string NameOf(string path)
    {
        var last = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)));
        var name = Directory.Exists(path) ? last : Path.GetFileNameWithoutExtension(last);
        return name.Length > 0 ? name : "ingest";
    }
}
