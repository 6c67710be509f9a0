using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Filters over a real Qdrant.</summary>
[Collection(RealQdrant.Collection)]
public sealed class RealQdrantFilterTests(RealQdrant qdrant) : FilterContract
{
    private const string Name = "c";
    private static readonly CancellationToken None = CancellationToken.None;

    private protected override async Task<IVectorStore> CreateAsync()
    {
        var missing = Tool.Missing("QDRANT_BINARY", "QDRANT_URL");
        Assert.SkipWhen(missing is not null, missing ?? "");
        return await qdrant.StartStoreAsync();
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task A_prefix_of_a_field_with_too_many_values_is_refused_and_other_conditions_make_it_possible()
    {
        await using var store = await qdrant.StartStoreAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        const int Points = PrefixExpansion.MaxValues + 5;
        for (var first = 0; first < Points; first += 1000)
        {
            await store.UpsertAsync(Name, [.. Enumerable.Range(first, Math.Min(1000, Points - first)).Select(Point)], None);
        }
        PointFilter filter = new() { PointIdPrefix = "p1" };
        var fault = await Assert.ThrowsAsync<Fault>(() => store.CountAsync(Name, filter, None));
        Assert.Equal((FaultKind.FailedPrecondition, Reasons.PrefixTooBroad, "filter"), (fault.Kind, fault.Reason, fault.Field));
        Assert.Contains("10001 distinct values", fault.Message, StringComparison.Ordinal);
        Assert.Equal(
            Enumerable.Range(0, Points).Count(i => Point(i) is { Payload.JobId: "job-3" } point && point.Id.StartsWith("p1", StringComparison.Ordinal)),
            await store.CountAsync(Name, filter with { JobId = "job-3" }, None));
        Assert.Equal(Points, await store.CountAsync(Name, new() { JobIdPrefix = "job-" }, None));
        Assert.Equal(Points / 5, await store.CountAsync(Name, Has(new AttributeCondition("tag") { Prefix = "t1" }), None));

        static StoredPoint Point(int i) => new($"p{i}", new float[] { 1, 2 }, new() { JobId = $"job-{i % 5}", Attributes = new() { ["tag"] = $"t{i % 5}" } });
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task An_attribute_has_one_index()
    {
        await using var store = await qdrant.StartStoreAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        IndexedAttribute[] both = [new("k", AttributeType.Number), new("k", AttributeType.Text)];
        await FailsAsync(() => store.SetIndexedAttributesAsync(Name, both, [], None), "'k' would have text and number|'k' would have number and text");
        await store.SetIndexedAttributesAsync(Name, [both[0]], [], None);
        await store.UpsertAsync(Name, [VectorStoreContract.Point("p", [1, 2], """{"k":"text"}""")], None);
        Assert.Equal(1, await store.CountAsync(Name, Has(new AttributeCondition("k", Text: "text")), None));
        await FailsAsync(() => store.CountAsync(Name, Has(new AttributeCondition("k") { Prefix = "t" }), None), "attribute 'k'");
        await store.SetIndexedAttributesAsync(Name, [both[1]], [both[0]], None);
        Assert.Equal(1, await store.CountAsync(Name, Has(new AttributeCondition("k") { Prefix = "t" }), None));

        static async Task FailsAsync(Func<Task> work, string message)
        {
            var fault = await Assert.ThrowsAsync<Fault>(work);
            Assert.Equal((FaultKind.FailedPrecondition, Reasons.IndexConflict), (fault.Kind, fault.Reason));
            Assert.Contains(message.Split('|'), part => fault.Message.Contains(part, StringComparison.Ordinal));
        }
    }

    /// <summary>Texts near to times, of which Qdrant reads more as times than this service.</summary>
    [ToolFact("QDRANT_BINARY")]
    public async Task The_same_texts_are_times_in_both_stores()
    {
        var random = new Random(5);
        await using var store = await qdrant.StartStoreAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        string[] texts = [.. Enumerable.Range(0, 3000).Select(_ => RandomTime(random))];
        StoredPoint[] points =
        [
            .. texts.Select((text, i) => new StoredPoint($"p{i}", new float[] { 1, 2 }, new() { Attributes = new() { ["t"] = text } })),
        ];
        await store.UpsertAsync(Name, points, None);
        Assert.InRange(texts.Count(text => AttributeTimes.Parse(text) is not null), 300, 2700);
        await SameAsync();
        await store.SetIndexedAttributesAsync(Name, [new("t", AttributeType.Time)], [], None);
        await SameAsync();

        async Task SameAsync()
        {
            foreach (var range in new[] { new TimeRange(From: -62_135_596_800_000), new TimeRange(Before: 1_777_636_800_000), new TimeRange(After: 1_777_636_800_000) })
            {
                var filter = Has(new AttributeCondition("t") { Time = range });
                var page = await store.ListAsync(Name, filter, 3000, "", false, None);
                var found = page.Points.Select(point => (string)point.Payload.Attributes!["t"]!).ToHashSet();
                var expected = points.Where(filter.Matches).Select(point => (string)point.Payload.Attributes!["t"]!).ToHashSet();
                Assert.Equal([], found.Except(expected).Concat(expected.Except(found)).Take(5));
            }
        }
    }

    private static string RandomTime(Random random)
    {
        string[] parts =
        [
            Pick("", "", "", "", "", " ", "+", "-", "\u2003"),
            Pick("2026", "2026", "0001", "0000", "9999", "1969", "26", "12026", "\u0662026"),
            Pick("-", "-", "-", "-", "/", ""),
            Pick("05", "05", "12", "13", "00", "5", "02"),
            "-",
            Pick("01", "01", "31", "29", "32", "1", "00"),
            Pick("T", "T", "T", "t", " ", "", "  ", "_"),
            Pick("12:00:00", "12:00:00", "23:59:59", "24:00:00", "12:00:60", "23:59:60", "12:00", "12:60:00", "1:00:00", "12.00.00", ""),
            Pick("", "", ".5", ".123456789", ".9999999999999", ".", ",5", ".5 "),
            Pick("Z", "Z", "z", "+02:00", "-00:00", "-23:59", "+24:00", "+0200", "+02", "", " Z", " +02:00", "\u221202:00", "UTC", "Z "),
        ];
        return string.Concat(parts);

        // The first is the one of a time; most texts have one or two other parts.
        string Pick(params string[] from) => random.Next(8) > 0 ? from[0] : from[random.Next(from.Length)];
    }
}
