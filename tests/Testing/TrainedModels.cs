namespace Embeddings.Testing;

/// <summary>The default models, which the build prepares from published packages, and the files they are made from.</summary>
public static class TrainedModels
{
    /// <summary>The folder in the output of the running tests that a server takes them from.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "models");

    /// <summary>The reason that their tests cannot run, or null.</summary>
    public static string? Missing { get; } = Reason();

    /// <summary>Path of a model's <c>.onnx</c> file.</summary>
    public static string PathOf(string name) => Path.Combine(Folder, $"{name}.onnx");

    /// <summary>Path of a file that a model is made from.</summary>
    public static string Source(string file) => Path.Combine(Repository.Root, "artifacts", "model-sources", file);

    private static string? Reason()
    {
        string[] files = [PathOf("resnet18"), PathOf("mobilefacenet"), Source("ResNet18.onnx"), Source("ResNetPreprocess.onnx"), Source("fr_feature.onnx")];
        return files.FirstOrDefault(file => !File.Exists(file)) is { } missing
            ? $"the default models are not prepared ({Path.GetFileName(missing)} is missing): ./build.sh models"
            : null;
    }
}
