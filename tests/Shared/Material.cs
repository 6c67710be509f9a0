namespace Embeddings.Tests;

/// <summary>Real models and photographs beside the checkout (<c>../shared/material</c>), where there are any.</summary>
internal static class Material
{
    /// <summary>The folder, or null.</summary>
    public static string? Root { get; } = Find();

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root!, .. parts]);

    private static string? Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(at.FullName, "Embeddings.sln")))
            {
                var material = System.IO.Path.Combine(at.FullName, "..", "shared", "material");
                return Directory.Exists(material) ? System.IO.Path.GetFullPath(material) : null;
            }
        }
        return null;
    }
}
