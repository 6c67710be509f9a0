using System.Text.RegularExpressions;
using Embeddings.Core;
using Embeddings.Core.Models;

namespace Embeddings.Tooling.Models.Adding;

/// <summary>
/// A model in a staging directory within its target directory, so that publishing is a rename on the same disk and a
/// server never sees an incomplete model. Files that are not published are deleted.
/// </summary>
internal sealed partial class StagedModel : IDisposable
{
    private readonly string _target;
    private readonly string _name;
    private readonly DirectoryInfo _folder;

    public StagedModel(string target, string name)
    {
        if (!ValidName().IsMatch(name))
        {
            throw new ModelException(
                name,
                "A model name must have 1 to 64 characters of a-z, A-Z, 0-9, _, - and ., and must not start with a dot. "
                + "Set it with --name.");
        }
        _target = target;
        _name = name;
        _folder = Directory.CreateDirectory(Path.Combine(target, $".adding-{Guid.NewGuid():N}"));
    }

    /// <summary>Path of the model file.</summary>
    public string File => Path.Combine(_folder.FullName, _name + ".onnx");

    private string ManifestPath => Path.ChangeExtension(File, null) + ".json";

    /// <summary>
    /// Copies the model and its external weight files, which keep their names because the model refers to them.
    /// </summary>
    public void Copy(string file, IReadOnlyList<string> dataFiles)
    {
        System.IO.File.Copy(file, File, overwrite: true);
        foreach (var data in dataFiles)
        {
            var source = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, data);
            System.IO.File.Copy(source, Path.Combine(_folder.FullName, data), overwrite: true);
        }
    }

    /// <summary>Writes the manifest and validates it by reading it.</summary>
    public void Write(ModelManifest manifest)
    {
        System.IO.File.WriteAllBytes(ManifestPath, ManifestFile.Write(manifest));
        ManifestFile.Read(ManifestPath);
    }

    /// <summary>
    /// Moves all files to the target directory, the manifest last, and returns the path of the model there.
    /// </summary>
    /// <exception cref="ModelException">A file exists already and must not be replaced.</exception>
    public string Publish(bool replace)
    {
        // A part of a model can need fewer weight files than the whole.
        IReadOnlyList<string> names = [.. ModelFile.DataFiles(File), _name + ".onnx", _name + ".json"];
        var files = names.Select(name => new FileInfo(Path.Combine(_folder.FullName, name))).ToList();
        // Weight files of another model must never be replaced.
        var old = Path.Combine(_target, _name + ".onnx");
        IReadOnlyList<string> data = System.IO.File.Exists(old) ? ModelFile.DataFiles(old) : [];
        var kept = replace ? names.Except([.. data, _name + ".onnx", _name + ".json"]) : names;
        if (kept.Select(name => Path.Combine(_target, name)).FirstOrDefault(System.IO.File.Exists) is { } taken)
        {
            throw new ModelException(
                taken, "The file exists already. Choose another name with --name, or replace the model with --replace.");
        }
        foreach (var file in files)
        {
            file.MoveTo(Path.Combine(_target, file.Name), overwrite: replace);
        }
        return Path.Combine(_target, _name + ".onnx");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [GeneratedRegex(@"^(?!\.)[A-Za-z0-9_.-]{1,64}\z")]
    private static partial Regex ValidName();
}
