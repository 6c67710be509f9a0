using System.Text.Json.Nodes;
using Embeddings.Benchmarks.Measuring;
using Embeddings.Benchmarks.Models;
using Embeddings.Storage;
using Embeddings.Storage.Sqlite;

namespace Embeddings.Benchmarks.Comparisons;

/// <summary>
/// Searches with a filter on an indexed attribute in the embedded store, against searches without one: few points match (P5f), half of
/// them do (P5h).
/// </summary>
internal static class FilteredSearch
{
    private const int Group = 2000;
    private const int Few = 100;

    // Not a divisor of any count, so that ranks are a permutation.
    private const long Prime = 2_654_435_761;

    public static async Task<IReadOnlyList<Outcome>> RunAsync(BenchSettings settings)
    {
        var count = settings.Count(1_000_000, 100_000);
        await using var store = await FilledAsync(settings.Scratch("filtered"), count);
        await store.SetIndexedAttributesAsync(
            Search.Collection, [new("tag", AttributeType.Text), new("half", AttributeType.Flag)], [], CancellationToken.None);

        VectorQuery[] query = [new VectorQuery(Points.Vector(-1))];
        var turn = settings.Turn / 5;

        async Task<double> SearchAsync(PointFilter filter)
        {
            var (times, seconds) = (0, 0.0);
            for (; seconds < turn.TotalSeconds; times++)
            {
                var spec = new SearchSpec { Filter = filter };
                seconds += await Clock.TimeAsync(() => store.SearchAsync(Search.Collection, query, spec, CancellationToken.None));
            }
            return 1000 * seconds / times;
        }

        var few = Where(new AttributeCondition("tag", Text: "t7"));
        var half = Where(new AttributeCondition("half", Flag: true));
        for (var i = 0; i < 3; i++)
        {
            await SearchAsync(PointFilter.All);
        }
        var (fewFound, halfFound) = (
            await store.CountAsync(Search.Collection, few, CancellationToken.None), await store.CountAsync(Search.Collection, half, CancellationToken.None));
        var fewTimes = await Pairs.MeasureAsync(settings.Pairs, () => SearchAsync(few), () => SearchAsync(PointFilter.All));
        var halfTimes = await Pairs.MeasureAsync(settings.Pairs, () => SearchAsync(half), () => SearchAsync(PointFilter.All));
        var rows = $"{count:N0} x {Points.Dimension}";
        return
        [
            new Outcome
            {
                Id = "P5f",
                What = $"one query over {rows} with a filter on an indexed attribute that {fewFound:N0} points match, ms; the reference has no filter",
                Ours = $"{Spread.MedianOf(fewTimes.Ours):0.00} ms",
                Reference = $"{Spread.MedianOf(fewTimes.Reference):0.00} ms",
                Ratio = Spread.Of(fewTimes.Ours),
                Goal = Goal.OrLess(5, "ms"),
                Pairs = fewTimes.Count,
            },
            new Outcome
            {
                Id = "P5h",
                What = $"one query over {rows} with a filter on an indexed attribute that {halfFound:N0} points match, over one without a filter",
                Ours = $"{Spread.MedianOf(halfTimes.Ours):0.00} ms",
                Reference = $"{Spread.MedianOf(halfTimes.Reference):0.00} ms",
                Ratio = halfTimes.Ratio,
                Goal = Goal.OrLess(1.2),
                Pairs = halfTimes.Count,
            },
        ];

        static PointFilter Where(AttributeCondition condition) => new() { Attributes = [condition] };
    }

    /// <summary>A started store with this many points with the attributes <c>tag</c>, <c>half</c>, and <c>rank</c>, each rank once; without indexes.</summary>
    public static async Task<EmbeddedVectorStore> FilledAsync(string directory, int count)
    {
        var store = await Search.FilledAsync(directory, 0);
        for (var first = 0; first < count; first += Group)
        {
            var some = Points.Stored(first, Math.Min(Group, count - first)).Select((point, i) => Tagged(point, first + i, count));
            await store.UpsertAsync(Search.Collection, [.. some], CancellationToken.None);
        }
        return store;
    }

    // Which half a point is in does not follow from its neighbors, so that no search gains from their order; its rank does not, either.
    private static StoredPoint Tagged(StoredPoint point, int number, int count) => point with
    {
        Payload = point.Payload with
        {
            Attributes = new JsonObject { ["tag"] = $"t{number / Few}", ["half"] = (((uint)number * (uint)Prime) & (1 << 27)) == 0, ["rank"] = (int)((number * Prime) % count) },
        },
    };
}
