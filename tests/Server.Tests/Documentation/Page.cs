using Embeddings.Testing;

namespace Embeddings.Server.Tests.Documentation;

/// <summary>Pages in <c>docs</c> and files that are generated from the code.</summary>
internal static class Page
{
    /// <summary>
    /// Set to 1, this environment variable makes the tests write generated files instead of comparing them.
    /// </summary>
    private const string Update = "UPDATE_GENERATED_FILES";

    public static string Text(string path) => File.ReadAllText(Path.Combine(Repository.Root, path)).ReplaceLineEndings("\n");

    /// <summary>
    /// Returns the cells of all table rows of a page, with the heading that they are below, without the headers of the
    /// tables.
    /// </summary>
    public static IEnumerable<(string Heading, string[] Cells)> Tables(string page)
    {
        var heading = "";
        var inTable = false;
        foreach (var line in Text($"docs/{page}").Split('\n'))
        {
            heading = line.StartsWith('#') ? line.TrimStart('#').Trim() : heading;
            if (line.StartsWith("|---", StringComparison.Ordinal))
            {
                inTable = true;
            }
            else if (!line.StartsWith('|'))
            {
                inTable = false;
            }
            else if (inTable)
            {
                yield return (heading, [.. line.Trim('|').Split('|').Select(cell => cell.Trim())]);
            }
        }
    }

    /// <summary>Returns the text of a cell in backticks.</summary>
    public static string Code(string cell) => cell.Trim('`');

    /// <summary>Compares a file with what the code generates.</summary>
    public static void IsGenerated(string path, string expected)
    {
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            File.WriteAllText(Path.Combine(Repository.Root, path), expected);
        }
        Assert.True(expected == Text(path), $"{path} is out of date. Run the tests once with {Update}=1 and commit the file.");
    }
}
