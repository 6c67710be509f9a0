namespace Embeddings.Testing;

/// <summary>Real models and photographs beside the checkout (<c>../shared/material</c>), where there are any.</summary>
public static class Material
{
    /// <summary>The folder, or null.</summary>
    public static string? Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root!, .. parts]);

    private static string? Find()
    {
        var material = System.IO.Path.GetFullPath(System.IO.Path.Combine(Repository.Root, "..", "shared", "material"));
        return Directory.Exists(material) ? material : null;
    }
}
