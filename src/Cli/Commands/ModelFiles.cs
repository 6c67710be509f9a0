using Embeddings.Core.Models;

namespace Embeddings.Cli.Commands;

/// <summary>Finds models on this machine by what a person calls them.</summary>
internal static class ModelFiles
{
    /// <summary>The manifest of a model: by the path of its file or manifest, or by name in the folder or among the default models.</summary>
    /// <exception cref="CliException">There is none.</exception>
    public static string Manifest(string nameOrPath, string folder)
    {
        if (nameOrPath.EndsWith(".onnx", StringComparison.Ordinal) || nameOrPath.EndsWith(".json", StringComparison.Ordinal))
        {
            var path = Path.ChangeExtension(nameOrPath, ".json");
            return File.Exists(path) ? path : throw new CliException($"there is no manifest '{path}'; 'embeddings models add' writes it");
        }
        string[] folders = [folder, Path.Combine(AppContext.BaseDirectory, "models")];
        return folders.Where(Directory.Exists)
            .SelectMany(known => Directory.EnumerateFiles(known, "*.json").Order(StringComparer.Ordinal))
            .Where(path => File.Exists(Path.ChangeExtension(path, ".onnx")))
            .FirstOrDefault(path => ManifestFile.Read(path).Name == nameOrPath)
            ?? throw new CliException($"there is no model '{nameOrPath}' in '{folder}'; --models names another folder");
    }

    /// <summary>Writes a manifest in place of what is there, in one step.</summary>
    public static void Replace(string path, ModelManifest manifest)
    {
        var written = $"{path}.{Guid.NewGuid():N}.tmp";
        File.WriteAllBytes(written, ManifestFile.Write(manifest));
        File.Move(written, path, overwrite: true);
    }
}
