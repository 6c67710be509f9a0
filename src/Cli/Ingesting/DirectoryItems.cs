using System.IO.Enumeration;

namespace Embeddings.Cli.Ingesting;

/// <summary>
/// Every file of a folder as an item. The job id is the file's name, extension and all, so that a.jpg and a.png are two; below the folder it is the
/// path from there, with slashes. Which files are pictures is not guessed: the server says so of each.
/// </summary>
internal static class DirectoryItems
{
    /// <summary>The files' paths from the folder, in ordinal order, so that two runs go the same way.</summary>
    public static IReadOnlyList<string> Find(string folder, bool recursive, string? except)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = recursive, AttributesToSkip = 0, IgnoreInaccessible = true };
        var files = new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToFullPath(), options)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
            // A link to a folder may lead back up and never end.
            ShouldRecursePredicate = (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        var found = files.Where(file => file != except).Select(file => Path.GetRelativePath(folder, file)).ToList();
        found.Sort(StringComparer.Ordinal);
        return found;
    }

    public static async IAsyncEnumerable<IngestItem> ReadAsync(string folder, IReadOnlyList<string> files)
    {
        await Task.CompletedTask;
        for (var i = 0; i < files.Count; i++)
        {
            var id = files[i].Replace(Path.DirectorySeparatorChar, '/');
            yield return IngestItem.Good(i + 1, new ManifestLine { Path = files[i], JobId = id }, Path.Combine(folder, files[i]));
        }
    }
}
