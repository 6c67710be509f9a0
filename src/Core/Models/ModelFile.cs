using System.Security.Cryptography;

namespace Embeddings.Core.Models;

/// <summary>The files a model is made of, and their checksums.</summary>
internal static class ModelFile
{
    private const int BufferSize = 1 << 16;

    /// <summary>SHA-256 of the model file, 64 lower-case hex digits.</summary>
    /// <exception cref="ModelException">The file cannot be read.</exception>
    public static string Sha256(string path) => Read(path, [path]);

    /// <summary>Names of the external weight files, in ordinal order.</summary>
    /// <exception cref="ModelException">The file is not a model, or refers to a file outside its folder.</exception>
    public static IReadOnlyList<string> DataFiles(string path)
    {
        try
        {
            var files = ExternalFiles.Of(path);
            // A model of unknown origin must not make the server read arbitrary files.
            var outside = files.FirstOrDefault(
                file => Path.GetFileName(file) != file || file is "" or "." or ".." || file.Contains('\\'));
            return outside is null
                ? files
                : throw new ModelException(path, $"must keep its external weights in its own folder; got '{outside}'");
        }
        catch (InvalidDataException e)
        {
            throw new ModelException(path, $"ONNX Runtime cannot load it: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <summary>Names of the external weight files, as <see cref="DataFiles"/>; all of them exist.</summary>
    /// <exception cref="ModelException">The file is not a model, or an external weight file does not exist.</exception>
    public static IReadOnlyList<string> RequireDataFiles(string path)
    {
        var files = DataFiles(path);
        return files.FirstOrDefault(file => !File.Exists(InFolderOf(path, file))) is { } missing
            ? throw new ModelException(path, $"its external weight file '{missing}' does not exist")
            : files;
    }

    /// <summary>SHA-256 over the contents of those files, one after another; empty if there are none.</summary>
    /// <exception cref="ModelException">A file cannot be read.</exception>
    public static string DataSha256(string path, IReadOnlyList<string> files) =>
        files.Count == 0 ? "" : Read(path, files.Select(file => InFolderOf(path, file)));

    /// <summary>Total bytes of the model file and the external weight files; missing files count 0.</summary>
    /// <exception cref="ModelException">The file is not a model, or refers to a file outside its folder.</exception>
    public static long Bytes(string path) => DataFiles(path)
        .Select(file => InFolderOf(path, file))
        .Append(path)
        .Sum(static file => new FileInfo(file) is { Exists: true } info ? info.Length : 0);

    private static string InFolderOf(string path, string file) => Path.Combine(Path.GetDirectoryName(path) ?? "", file);

    private static string Read(string path, IEnumerable<string> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[BufferSize];
        var current = path;
        try
        {
            foreach (var file in files)
            {
                current = file;
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.SequentialScan);
                while (stream.Read(buffer) is > 0 and var count)
                {
                    hash.AppendData(buffer, 0, count);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(current, e);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static ModelException Unreadable(string path, Exception e) =>
        new(path, e is FileNotFoundException or DirectoryNotFoundException ? "does not exist" : "cannot be read", e);
}
