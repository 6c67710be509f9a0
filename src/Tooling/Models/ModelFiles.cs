using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models;

/// <summary>Finds the models of this machine.</summary>
internal static class ModelFiles
{
    /// <summary>
    /// Returns the path of a manifest, given the path of the model or of the manifest, or the name of a model in the
    /// directory or among the default models.
    /// </summary>
    /// <exception cref="ToolException">The model does not exist.</exception>
    public static string FindManifest(string nameOrPath, string folder)
    {
        if (nameOrPath.EndsWith(".onnx", StringComparison.Ordinal) || nameOrPath.EndsWith(".json", StringComparison.Ordinal))
        {
            var path = Path.ChangeExtension(nameOrPath, ".json");
            return File.Exists(path)
                ? path
                : throw new ToolException($"Manifest '{path}' does not exist. 'embeddings models add' writes it.");
        }
        string[] folders = [folder, Path.Combine(AppContext.BaseDirectory, "models")];
        return folders.Where(Directory.Exists)
            .SelectMany(known => Directory.EnumerateFiles(known, "*.json").Order(StringComparer.Ordinal))
            .Where(path => File.Exists(Path.ChangeExtension(path, ".onnx")))
            .FirstOrDefault(path => ManifestFile.Read(path).Name == nameOrPath)
            ?? throw new ToolException(
                $"Model '{nameOrPath}' does not exist in '{folder}'. Choose another directory with --models.");
    }

    /// <summary>Replaces a manifest atomically.</summary>
    public static void ReplaceManifest(string path, ModelManifest manifest)
    {
        var written = $"{path}.{Guid.NewGuid():N}.tmp";
        File.WriteAllBytes(written, ManifestFile.Write(manifest));
        File.Move(written, path, overwrite: true);
    }
}
