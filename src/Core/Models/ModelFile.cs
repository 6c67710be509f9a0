using System.Security.Cryptography;

namespace Embeddings.Core.Models;

/// <summary>The files a model is made of, and their checksums.</summary>
internal static class ModelFile
{
    private const int BufferSize = 1 << 16;

    /// <summary>SHA-256 of the model file, 64 lower-case hex digits.</summary>
    /// <exception cref="ModelException">It cannot be read.</exception>
    public static string Sha256(string path) => Read(path, [path]);

    /// <summary>Names of the files beside it that hold weights, in ordinal order.</summary>
    /// <exception cref="ModelException">It is no model, or names a file outside its folder.</exception>
    public static IReadOnlyList<string> DataFiles(string path)
    {
        try
        {
            var files = ExternalFiles.Of(path);
            // A model from a stranger must not make the server read any file of the machine.
            return files.FirstOrDefault(file => Path.GetFileName(file) != file || file is "" or "." or ".." || file.Contains('\\')) is { } outside
                ? throw new ModelException(path, $"keeps weights in '{outside}', which does not lie beside it")
                : files;
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

    /// <summary>SHA-256 over the contents of those files, one after another; empty where there are none.</summary>
    /// <exception cref="ModelException">One cannot be read.</exception>
    public static string DataSha256(string path, IReadOnlyList<string> files) =>
        files.Count == 0 ? "" : Read(path, Beside(path, files));

    /// <summary>Bytes of the model file and of those beside it together; what is not there counts nothing.</summary>
    /// <exception cref="ModelException">It is no model, or names a file outside its folder.</exception>
    public static long Bytes(string path) => Beside(path, DataFiles(path))
        .Append(path)
        .Sum(static file => new FileInfo(file) is { Exists: true } there ? there.Length : 0);

    private static IEnumerable<string> Beside(string path, IEnumerable<string> files) =>
        files.Select(file => Path.Combine(Path.GetDirectoryName(path) ?? "", file));

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
        new(path, e is FileNotFoundException or DirectoryNotFoundException ? "is not there" : "cannot be read", e);
}
