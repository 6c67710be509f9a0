namespace Embeddings.Cli.Benching;

/// <summary>One line, or one set of bars, of a plot.</summary>
/// <param name="Name">For the legend; empty for none.</param>
/// <param name="Points">Its points, x ascending.</param>
internal sealed record Series(string Name, IReadOnlyList<(double X, double Y)> Points);
