using System.Reflection;
using Embeddings.Primitives;

namespace Embeddings.Server.Tests.Documentation;

public sealed class ErrorsPageTests
{
    private static readonly IReadOnlyList<string> Known =
    [
        .. typeof(Reasons).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(field => field.IsLiteral)
            .Select(field => (string)field.GetRawConstantValue()!),
    ];

    [Fact]
    public void The_page_lists_every_reason_once_and_no_other() => Assert.Equal(
        Known.Order(StringComparer.Ordinal),
        Page.Tables("errors.md")
            .Select(row => row.Cells[0])
            .Where(cell => cell.StartsWith('`'))
            .Select(Page.Code)
            .Order(StringComparer.Ordinal));

    [Fact]
    public void Reasons_are_distinct_upper_snake_words()
    {
        Assert.NotEmpty(Known);
        Assert.Equal(Known.Count, Known.Distinct(StringComparer.Ordinal).Count());
        Assert.All(Known, reason => Assert.Matches("^[A-Z]+(_[A-Z0-9]+)*$", reason));
    }
}
