using System.Reflection;
using System.Text.RegularExpressions;
using Embeddings.Primitives;
using Embeddings.Server.Hosting;
using Embeddings.Testing;

namespace Embeddings.Server.Tests.Diagnostics;

/// <summary>docs/errors.md is what programs are written against: it has every reason, and none that is not there.</summary>
public sealed partial class ReasonsTests
{
    private static readonly IReadOnlyList<string> Known =
    [
        .. typeof(Reasons).GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral).Select(field => (string)field.GetRawConstantValue()!),
    ];

    [Fact]
    public void The_page_lists_every_reason_once_and_no_other()
    {
        var listed = Row().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "errors.md"))).Select(match => match.Groups["reason"].Value);
        Assert.Equal(Known.Order(StringComparer.Ordinal), listed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Reasons_are_distinct_upper_snake_words()
    {
        Assert.NotEmpty(Known);
        Assert.Equal(Known.Count, Known.Distinct(StringComparer.Ordinal).Count());
        Assert.All(Known, reason => Assert.Matches("^[A-Z]+(_[A-Z0-9]+)*$", reason));
    }

    // A row of a table whose first cell is a reason.
    [GeneratedRegex(@"^\| `(?<reason>[A-Z0-9_]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row();
}
