using Embeddings.Server.Security;

namespace Embeddings.Server.Tests.Documentation;

/// <summary>The table of docs/security.md is generated from the server's.</summary>
public sealed class SecurityPageTests
{
    [Fact]
    public void The_page_shows_the_access_table()
    {
        const string Begin = "<!-- access -->\n";
        const string End = "<!-- /access -->\n";
        const string Header = "\n| service | method | access | collections |\n|---|---|---|---|\n";
        var text = Page.Text("docs/security.md");
        var head = text[..(text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)];
        var tail = text[text.IndexOf(End, StringComparison.Ordinal)..];
        var rows = AccessTable.Rows.Select(row =>
        {
            var parts = row.Method.Split('/');
            return $"| `{parts[1].Replace("embeddings.v1.", "", StringComparison.Ordinal)}` | `{parts[2]}` | {KeysFile.Word(row.Access)} | {row.Scope} |\n";
        });
        Page.IsGenerated("docs/security.md", $"{head}{Header}{string.Concat(rows)}\n{tail}");
    }
}
