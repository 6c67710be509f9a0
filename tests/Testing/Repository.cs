namespace Embeddings.Testing;

/// <summary>The checkout the tests were built from.</summary>
public static class Repository
{
    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Embeddings.slnx")))
            {
                return at.FullName;
            }
        }
        throw new InvalidOperationException($"no Embeddings.slnx above {AppContext.BaseDirectory}");
    }
}
