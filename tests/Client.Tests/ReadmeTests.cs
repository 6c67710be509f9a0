using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace Embeddings.Client.Tests;

public sealed partial class ReadmeTests
{
    private static readonly string Here = Directory();

    [Theory]
    [InlineData("Client")]
    [InlineData("Contract")]
    public void EverySnippetCompiles(string project)
    {
        string[] sources =
        [
            "ReadmeSnippets.cs",
            "FakeClientTests.cs",
            "TestServerTests.cs",
            "EmbeddingsClientServiceCollectionExtensionsTests.cs",
        ];
        var code = Squeeze(string.Concat(sources.Select(source => File.ReadAllText(Path.Combine(Here, source)))));
        var snippets = Fence().Matches(Readme(project)).Select(match => Squeeze(match.Groups[1].Value)).ToArray();

        Assert.NotEmpty(snippets);
        Assert.All(snippets, snippet => Assert.Contains(snippet, code, StringComparison.Ordinal));
    }

    [Fact]
    public void EveryOptionIsInTheTable()
    {
        var options = typeof(EmbeddingsClientOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance);

        Assert.All(options, option => Assert.Contains($"`{option.Name}`", Readme("Client"), StringComparison.Ordinal));
    }

    private static string Readme(string project) => File.ReadAllText(Path.Combine(Here, "../../src", project, "README.md"));

    private static string Squeeze(string text) => Blank().Replace(text, " ").Trim();

    private static string Directory([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blank();
}
