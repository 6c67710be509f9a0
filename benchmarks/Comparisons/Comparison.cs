using Embeddings.Benchmarks.Measuring;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>Something that is measured against its reference.</summary>
/// <param name="Ids">The outcomes it gives, by their names in <c>summary.json</c>.</param>
/// <param name="RunAsync">Measures.</param>
/// <param name="IsLong">True if it takes so long that it only runs when <c>--only</c> names it.</param>
internal sealed record Comparison(
    IReadOnlyList<string> Ids, Func<BenchSettings, Task<IReadOnlyList<Outcome>>> RunAsync, bool IsLong = false)
{
    /// <summary>All there are, in the order of the table.</summary>
    public static IReadOnlyList<Comparison> All { get; } =
    [
        new(["P1"], Served.FaceCropsAsync),
        new(["P1b", "P1b0"], Served.JpegsAsync),
        new(["P1d", "P1dx"], Served.PhoneAsync),
        new(["P1p"], Photos.SingleAsync),
        new(["P1p12"], Photos.GroupAsync),
        new(["P2", "CPU", "P2one", "CPUone"], Served.FreeAsync),
        new(["P3", "P3old"], Idle.RunAsync),
        new(["P4"], Layout.RunAsync),
        new(["P5", "P5b"], Search.RunAsync),
        new(["P5q", "P5qb"], Search.RunLargeAsync),
        new(["P5f", "P5h"], FilteredSearch.RunAsync),
        new(["P5a", "P5ar", "P5ai"], ApproximateSearch.RunAsync),
        new(["P6"], Upserts.RunAsync),
        new(["P7", "P7cpu"], QdrantUpserts.RealAsync),
        new(["P7double"], QdrantUpserts.DoubleAsync),
        new(["P8"], MemoryUse.CropsAsync),
        new(["P8p"], MemoryUse.PhotographsAsync, IsLong: true),
        new(["P9"], Startup.RunAsync),
        new(["P10", "P10b", "P10free", "P10call"], Secured.RunAsync),
        .. Peers.All,
        new(["P12", "P12b"], Fairness.RunAsync),
    ];
}
