using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>Tables in one style; cells are taken as text, never as markup.</summary>
internal static class Tables
{
    public static Table New(params string[] headers)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (var header in headers)
        {
            table.AddColumn(new TableColumn(new Text(header)));
        }
        return table;
    }

    public static void Add(this Table table, params string[] cells) => table.AddRow([.. cells.Select(cell => new Text(ErrorLine.OneLine(cell)))]);
}
