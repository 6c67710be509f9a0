using System.Text.Json.Nodes;
using Embeddings.TestModels;

namespace Embeddings.IntegrationTests.Infrastructure;

/// <summary>A directory of further models: the test models with other names and other preprocessing, and therefore other fingerprints.</summary>
internal sealed class ModelFolder : IDisposable
{
    private readonly TempFolder _folder = new();

    public string Argument => $"--Models:Directories:0={_folder.Path}";

    /// <summary>Adds a model that subtracts another mean, or has smaller batches.</summary>
    public ModelFolder Add(string original, string name, double mean, int? maxBatch = null)
    {
        var source = Path.Combine(Descriptor.Folder, original);
        File.Copy($"{source}.onnx", Path.Combine(_folder.Path, $"{name}.onnx"));
        var manifest = JsonNode.Parse(File.ReadAllText($"{source}.json"))!.AsObject();
        manifest["name"] = name;
        manifest["input"]!["mean"] = new JsonArray(mean, mean, mean);
        manifest["max_batch"] = maxBatch ?? (int)manifest["max_batch"]!;
        File.WriteAllText(Path.Combine(_folder.Path, $"{name}.json"), manifest.ToJsonString());
        return this;
    }

    /// <summary>Changes the mean of a model, as if an operator replaced the file.</summary>
    public void Change(string name, double mean)
    {
        var manifest = JsonNode.Parse(File.ReadAllText(FileOf(name)))!.AsObject();
        manifest["input"]!["mean"] = new JsonArray(mean, mean, mean);
        File.WriteAllText(FileOf(name), manifest.ToJsonString());
    }

    /// <summary>Writes the threshold of a model, as a check of the model does.</summary>
    public ModelFolder Measure(string name, double threshold)
    {
        var manifest = JsonNode.Parse(File.ReadAllText(FileOf(name)))!.AsObject();
        manifest["suggested_threshold"] = threshold;
        File.WriteAllText(FileOf(name), manifest.ToJsonString());
        return this;
    }

    /// <summary>Writes the size at which a model's JPEG files are decoded; null removes it from the manifest.</summary>
    public ModelFolder Decode(string name, string? decode)
    {
        var manifest = JsonNode.Parse(File.ReadAllText(FileOf(name)))!.AsObject();
        var input = manifest["input"]!.AsObject();
        input.Remove("decode");
        if (decode is not null)
        {
            input["decode"] = decode;
        }
        File.WriteAllText(FileOf(name), manifest.ToJsonString());
        return this;
    }

    /// <summary>Makes the manifest of a model invalid.</summary>
    public void Break(string name) => File.WriteAllText(FileOf(name), "nonsense");

    public void Dispose() => _folder.Dispose();

    private string FileOf(string name) => Path.Combine(_folder.Path, $"{name}.json");
}
