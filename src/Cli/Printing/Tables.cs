using Spectre.Console;

namespace Embeddings.Cli.Printing;

/// <summary>Tables in one style. Cells are text, never markup.</summary>
internal static class Tables
{
    public static Table New(params string[] headers)
    {
        var columns = headers.Select(header => new TableColumn(new Text(header)));
        return new Table().Border(TableBorder.Simple).AddColumns([.. columns]);
    }

    public static void Add(this Table table, params string[] cells) =>
        table.AddRow([.. cells.Select(cell => new Text(ErrorLine.OneLine(cell)))]);
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
