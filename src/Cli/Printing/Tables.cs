using Spectre.Console;
using Spectre.Console.Rendering;

namespace Embeddings.Cli.Printing;

/// <summary>
/// A table of text. On a terminal its columns are aligned; cells wrap between words. Otherwise it has one line per row,
/// with tabs between the cells.
/// </summary>
internal sealed class TextTable(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add([.. cells.Select(ErrorLine.OneLine)]);

    /// <summary>Returns the lines for a file or a program.</summary>
    public IEnumerable<string> Lines()
    {
        var all = headers.All(header => header.Length == 0) ? _rows : _rows.Prepend(headers);
        return all.Select(cells => string.Join('\t', cells));
    }

    /// <summary>Writes the table to a terminal. Columns are never narrower than their longest word.</summary>
    public void WriteTo(IAnsiConsole console)
    {
        var options = RenderOptions.Create(console, console.Profile.Capabilities);
        int Measure(IRenderable renderable) => renderable.Measure(options, int.MaxValue).Max;

        var table = new Table().Border(TableBorder.Simple);
        table.AddColumns([.. headers.Select(header => new TableColumn(new Text(header)).PadLeft(0))]);
        foreach (var row in _rows)
        {
            table.AddRow(row.Select(cell => new Text(cell)));
        }
        var cells = _rows.Prepend(headers).ToList();
        int[] widths = [.. headers.Select((_, i) => cells.Max(row => Measure(new Text(row[i]))))];
        int[] words = [.. headers.Select((_, i) => cells.Max(row => row[i].Split(' ').Max(word => Measure(new Text(word)))))];
        for (var excess = Measure(table) - console.Profile.Width; excess > 0; excess--)
        {
            var shrinkable = Enumerable.Range(0, widths.Length).Where(i => widths[i] > words[i]).ToList();
            if (shrinkable.Count == 0)
            {
                break;
            }
            widths[shrinkable.MaxBy(i => widths[i])]--;
        }
        foreach (var (i, width) in widths.Index())
        {
            table.Columns[i].Width(width);
        }
        console.Profile.Width = Math.Max(console.Profile.Width, Measure(table));
        console.Write(table);
    }
}

/// <summary>Figures of vectors, computed in double precision.</summary>
internal static class Vectors
{
    public static double Norm(IEnumerable<float> values) => Math.Sqrt(values.Sum(value => (double)value * value));

    public static double Cosine(IReadOnlyList<float> left, IReadOnlyList<float> right) =>
        left.Zip(right, (a, b) => (double)a * b).Sum() / (Norm(left) * Norm(right));

    /// <summary>
    /// Returns the dimension, the norm and the first values: <c>(512,) norm 1.000000 [0.1234, -0.0456, ...]</c>.
    /// </summary>
    public static string Summary(IReadOnlyCollection<float> values, int count = 6)
    {
        var shown = values.Take(count).Select(value => $"{value:0.0000}");
        var rest = values.Count > count ? ", ..." : "";
        return $"({values.Count},) norm {Norm(values):0.000000} [{string.Join(", ", shown)}{rest}]";
    }
}
