using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Embeddings.Client.Tests;

public sealed partial class ReadmeTests
{
    private static readonly string Here = Directory();

    [Fact]
    public void EverySnippetCompiles()
    {
        var code = Squeeze(File.ReadAllText(Path.Combine(Here, "ReadmeSnippets.cs")));
        var snippets = Fence().Matches(Readme()).Select(match => Squeeze(match.Groups[1].Value)).ToArray();

        Assert.True(snippets.Length >= 7);
        Assert.All(snippets, snippet => Assert.Contains(snippet, code, StringComparison.Ordinal));
    }

    [Fact]
    public void EveryOptionIsInTheTable()
    {
        var options = typeof(EmbeddingsClientOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

        Assert.All(options, option => Assert.Contains($"`{option.Name}`", Readme(), StringComparison.Ordinal));
    }

    private static string Readme() => File.ReadAllText(Path.Combine(Here, "../../src/Client/README.md"));

    private static string Squeeze(string text) => Blank().Replace(text, " ").Trim();

    private static string Directory([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();
}
