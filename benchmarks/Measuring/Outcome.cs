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

    /// <summary>The reason why it was not measured; null if it was.</summary>
    public string? Skipped { get; init; }

    /// <summary>Null if it has no goal or was not measured.</summary>
    public bool? IsMet => Skipped is null ? Goal?.IsMetBy(Ratio.Median) : null;

    /// <summary>An outcome that could not be measured here. It has no figures, and its goal does not count as met.</summary>
    public static Outcome NotMeasured(string id, string what, Goal? goal, string reason) => new()
    {
        Id = id,
        What = what,
        Ours = "",
        Reference = "",
        Ratio = new(double.NaN, double.NaN, double.NaN),
        Goal = goal,
        Pairs = 0,
        Skipped = reason,
    };
}
