namespace Embeddings.Testing;

/// <summary>The default models, which the build prepares from published packages, and the files they are made from.</summary>
public static class TrainedModels
{
    /// <summary>The folder in the output of the running tests that a server takes them from.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "models");

    /// <summary>The reason that their tests cannot run, or null.</summary>
    public static string? Missing { get; } = Reason();

    /// <summary>The folder of the optional models.</summary>
    public static string Optional { get; } = Path.Combine(Folder, "optional");

    /// <summary>Path of a model's <c>.onnx</c> file.</summary>
    public static string PathOf(string name) => Path.Combine(Folder, $"{name}.onnx");

    /// <summary>Path of a file that a model is made from.</summary>
    public static string Source(string file) => Path.Combine(Repository.Root, "artifacts", "model-sources", file);

    private static string? Reason()
    {
        string[] models = ["resnet18", "mobilefacenet", "ultraface", "landmarks68", "optional/liveness", "optional/pose"];
        string[] sources = ["ResNet18", "ResNetPreprocess", "fr_feature", "fr_detect", "fr_landmark", "fr_liveness", "fr_pose"];
        string[] files = [.. models.Select(PathOf), .. sources.Select(source => Source($"{source}.onnx"))];
        return files.FirstOrDefault(file => !File.Exists(file)) is { } missing
            ? $"the default models are not prepared ({Path.GetFileName(missing)} is missing): ./build.sh models"
            : null;
    }
}
