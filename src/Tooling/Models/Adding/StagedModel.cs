using Embeddings.Core;
using Embeddings.Core.Models;
namespace Embeddings.Tooling.Models.Adding;

/// <summary>
/// A model on its way into a folder of models: in a folder of its own within that one, so that moving it out is one step on the same disk and a server
/// never sees half of it. What was not published is gone with it.
/// </summary>
internal sealed class StagedModel : IDisposable
{
    private readonly string _target;
    private readonly string _name;
    private readonly DirectoryInfo _folder;

    public StagedModel(string target, string name)
    {
        if (name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.') || name.StartsWith('.'))
        {
            throw new ModelException(name, "cannot be a model's name: 1 to 64 of a-z, A-Z, 0-9, _, - and ., not beginning with a dot; --name gives another");
        }
        _target = target;
        _name = name;
        _folder = Directory.CreateDirectory(Path.Combine(target, $".adding-{Guid.NewGuid():N}"));
    }

    /// <summary>Where the model file is, or is to be written.</summary>
    public string File => Path.Combine(_folder.FullName, _name + ".onnx");

    private string ManifestPath => Path.ChangeExtension(File, null) + ".json";

    /// <summary>Copies the model and the files that hold its weights, which keep their names: the model names them.</summary>
    public void Copy(string file, IReadOnlyList<string> dataFiles)
    {
        System.IO.File.Copy(file, File, overwrite: true);
        foreach (var data in dataFiles)
        {
            System.IO.File.Copy(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, data), Path.Combine(_folder.FullName, data), overwrite: true);
        }
    }

    /// <summary>Writes the manifest, and reads it again as a server would.</summary>
    public void Write(ModelManifest manifest)
    {
        System.IO.File.WriteAllBytes(ManifestPath, ManifestFile.Write(manifest));
        ManifestFile.Read(ManifestPath);
    }

    /// <summary>Moves everything to the target folder, the manifest last, and gives the model's path there.</summary>
    /// <exception cref="ModelException">Something is there already that may not be replaced.</exception>
    public string Publish(bool replace)
    {
        // A part of a model may need fewer of the weights' files than the whole.
        IReadOnlyList<string> names = [.. ModelFile.DataFiles(File), _name + ".onnx", _name + ".json"];
        var files = names.Select(name => new FileInfo(Path.Combine(_folder.FullName, name))).ToList();
        // Weights of another model under the same name must never be replaced: only its own.
        var taken = files.Select(file => file.Name).FirstOrDefault(name =>
            System.IO.File.Exists(Path.Combine(_target, name)) && !(replace && (name == _name + ".onnx" || name == _name + ".json" || OwnData(name))));
        if (taken is not null)
        {
            throw new ModelException(Path.Combine(_target, taken), $"is in {_target} already; --name gives the model another name, --replace replaces it");
        }
        foreach (var file in files)
        {
            file.MoveTo(Path.Combine(_target, file.Name), overwrite: replace);
        }
        return Path.Combine(_target, _name + ".onnx");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private bool OwnData(string name)
    {
        var old = Path.Combine(_target, _name + ".onnx");
        return System.IO.File.Exists(old) && ModelFile.DataFiles(old).Contains(name);
    }
}
