using System.Globalization;

namespace Embeddings.Benchmarks.Measuring;

/// <summary>A goal of a figure.</summary>
/// <param name="Value">The bound.</param>
/// <param name="AtLeast">Whether more is better; otherwise less is.</param>
/// <param name="Unit">Empty for ratios, <c>ms</c> or <c>s</c> for times.</param>
internal sealed record Goal(double Value, bool AtLeast, string Unit = "")
{
    public static Goal OrMore(double value) => new(value, AtLeast: true);

    public static Goal OrLess(double value, string unit = "") => new(value, AtLeast: false, unit);

    public bool IsMetBy(double value) => AtLeast ? value >= Value : value <= Value;

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{(AtLeast ? "≥" : "≤")} {Value}{(Unit.Length > 0 ? " " : "")}{Unit}");
}
