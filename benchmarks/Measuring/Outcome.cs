namespace Embeddings.Benchmarks.Measuring;

/// <summary>One line of the table.</summary>
internal sealed record Outcome
{
    /// <summary>Its name in <c>summary.json</c>: <c>P1</c>.</summary>
    public required string Id { get; init; }

    /// <summary>A description of the measurement, with its counts.</summary>
    public required string What { get; init; }

    /// <summary>Ours and the reference, with their units, for a person.</summary>
    public required string Ours { get; init; }

    public required string Reference { get; init; }

    /// <summary>Ours against the reference, over the pairs.</summary>
    public required Spread Ratio { get; init; }

    /// <summary>Null for what is told without being aimed at.</summary>
    public Goal? Goal { get; init; }

    /// <summary>The number of pairs.</summary>
    public required int Pairs { get; init; }

    public bool? IsMet => Goal?.IsMetBy(Ratio.Median);
}
