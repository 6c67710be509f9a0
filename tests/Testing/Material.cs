namespace Embeddings.Testing;

/// <summary>Optional real models and photos next to the checkout (<c>../shared/material</c>).</summary>
public static class Material
{
    /// <summary>The folder, or null.</summary>
    public static string? Root { get; } = Find();

    /// <summary>The reason why tests that need it are skipped, or null.</summary>
    public static string? Missing => Root is null ? "../shared/material is missing" : null;

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root!, .. parts]);

    private static string? Find()
    {
        var material = System.IO.Path.GetFullPath(System.IO.Path.Combine(Repository.Root, "..", "shared", "material"));
        return Directory.Exists(material) ? material : null;
    }
}
