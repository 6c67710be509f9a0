using System.Globalization;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>Listings in an order: every point once, whatever the size of pages and of groups with equal values.</summary>
public abstract class OrderedListingContract
{
    private const string Name = "ordered";
    private const int Points = 400;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly IndexedAttribute Number = new(["n", "a.b"], AttributeType.Number);
    private static readonly IndexedAttribute Time = new(["at"], AttributeType.Time);

    /// <summary>True if points with equal values are in the order of their ids, and points can be ordered by id.</summary>
    private protected virtual bool OrdersIds => true;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(1000)]
    public async Task Points_are_listed_in_order(int pageSize)
    {
        await using var store = await StartedAsync();
        var points = await UpsertAsync(store, new Random(pageSize));
        PointOrder[] orders =
        [
            new(OrderField.StoredAt, false), new(OrderField.StoredAt, true),
            new(OrderField.Confidence, false), new(OrderField.Confidence, true),
            new(OrderField.Attribute, false, Number), new(OrderField.Attribute, true, Number),
            new(OrderField.Attribute, false, Time), new(OrderField.Attribute, true, Time),
        ];
        foreach (var order in orders)
        {
            foreach (var filter in (PointFilter[])[PointFilter.All, new() { JobId = "job1" }])
            {
                var expected = points.Where(point => filter.JobId is null || point.Payload.JobId == filter.JobId).ToList();
                var listed = await ListAsync(store, filter, order, pageSize);
                Assert.Equal(expected.Select(Id).Order(StringComparer.Ordinal), listed.Select(Id).Order(StringComparer.Ordinal));
                var values = listed.Select(point => ValueOf(point, order)).ToList();
                Assert.Equal(order.Descending ? [.. values.OrderByDescending(Last(true))] : values.OrderBy(Last(false)), values);
                if (OrdersIds)
                {
                    var groups = listed.GroupBy(point => ValueOf(point, order));
                    Assert.All(groups, group => Assert.Equal(group.Select(Id).Order(StringComparer.Ordinal), group.Select(Id)));
                }

                Assert.All(listed, point => Assert.Equal(0, point.Vector.Length));
            }
        }

        // Points without the field last, in either direction.
        static Func<double?, double> Last(bool descending) =>
            value => value ?? (descending ? double.NegativeInfinity : double.PositiveInfinity);
    }

    [Fact]
    public async Task Ids_are_in_order_or_refused()
    {
        await using var store = await StartedAsync();
        string[] ids = ["a", "b", "A", "é", "\uffee", "🚀", "z"];
        await store.UpsertAsync(Name, [.. ids.Select(id => VectorStoreContract.Point(id, [1, 0]))], None);
        foreach (var descending in (bool[])[false, true])
        {
            var order = new PointOrder(OrderField.PointId, descending);
            if (!OrdersIds)
            {
                await VectorStoreContract.AssertFaultAsync(
                    FaultKind.InvalidArgument, Reasons.FieldInvalid, () => store.ListAsync(Name, PointFilter.All, order, 10, "", false, None));
                continue;
            }

            // By code points, unlike that of UTF-16: the rocket is last.
            string[] expected = ["A", "a", "b", "z", "é", "\uffee", "🚀"];
            Assert.Equal(descending ? expected.Reverse() : expected, (await ListAsync(store, PointFilter.All, order, 2)).Select(Id));
        }
    }

    [Fact]
    public async Task Pages_continue_while_points_are_written()
    {
        await using var store = await StartedAsync();
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 60).Select(i => Point($"p{i:D2}", i / 10))], None);
        var order = new PointOrder(OrderField.Attribute, false, Number);
        var seen = new List<string>();
        var token = "";
        do
        {
            var page = await store.ListAsync(Name, PointFilter.All, order, 7, token, false, None);
            seen.AddRange(page.Points.Select(Id));
            token = page.NextPageToken;
            if (seen.Count is > 10 and < 20)
            {
                // Some that were listed, one that would be next, and one that is new before the position.
                await store.DeleteAsync(Name, ["p00", "p13", "p14", "p15"], None);
                await store.UpsertAsync(Name, [Point("new", -1)], None);
            }
        }
        while (token.Length > 0);
        Assert.Equal(seen.Count, seen.Distinct().Count());
        Assert.Empty(Enumerable.Range(20, 40).Select(i => $"p{i:D2}").Except(seen));
        Assert.DoesNotContain("new", seen);
    }

    [Fact]
    public async Task Orders_without_an_index_and_tokens_of_other_orders_are_refused()
    {
        await using var store = await StartedAsync();
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 5).Select(i => Point($"p{i}", i))], None);
        await VectorStoreContract.AssertFaultAsync(FaultKind.FailedPrecondition, Reasons.AttributeNotIndexed, () => store.ListAsync(
            Name, PointFilter.All, new(OrderField.Attribute, false, new(["other"], AttributeType.Number)), 2, "", false, None));
        var ascending = new PointOrder(OrderField.Attribute, false, Number);
        var token = (await store.ListAsync(Name, PointFilter.All, ascending, 2, "", false, None)).NextPageToken;
        foreach (var call in (Func<Task>[])[
            () => store.ListAsync(Name, PointFilter.All, ascending with { Descending = true }, 2, token, false, None),
            () => store.ListAsync(Name, PointFilter.All, new(OrderField.Confidence, false), 2, token, false, None),
            () => store.ListAsync(Name, PointFilter.All, 2, token, false, None),
            () => store.ListAsync(Name, PointFilter.All, ascending, 2, token + "A", false, None)])
        {
            await VectorStoreContract.AssertFaultAsync(FaultKind.InvalidArgument, Reasons.PageTokenInvalid, call);
        }
    }

    /// <summary>Starts an empty store; disposing it removes its data.</summary>
    private protected abstract Task<IVectorStore> CreateAsync();

    private static string Id(StoredPoint point) => point.Id;

    private static StoredPoint Point(string id, double n) => new(
        id, new float[] { 1, 0 }, new() { Attributes = new() { ["n"] = new JsonObject { ["a.b"] = n } } });

    private static double? ValueOf(StoredPoint point, PointOrder order)
    {
        var payload = point.Payload;
        return order switch
        {
            { Field: OrderField.StoredAt } => payload.StoredAt?.ToUnixTimeMilliseconds(),
            { Field: OrderField.Confidence } => payload.Confidence,
            { Attribute.Type: AttributeType.Number } =>
                payload.Attributes?["n"] is JsonObject own && own["a.b"] is JsonValue value && value.TryGetValue<double>(out var number)
                    ? number
                    : null,
            _ => payload.Attributes?["at"] is JsonValue at && at.TryGetValue<string>(out var text) && AttributeTimes.TryParse(text, out var ms)
                ? ms
                : null,
        };
    }

    private static async Task<List<StoredPoint>> ListAsync(IVectorStore store, PointFilter filter, PointOrder order, int pageSize)
    {
        var points = new List<StoredPoint>();
        var token = "";
        do
        {
            var page = await store.ListAsync(Name, filter, order, pageSize, token, false, None);
            Assert.True(page.Points.Count > 0 || points.Count == 0);
            points.AddRange(page.Points);
            Assert.True(token.Length == 0 || token != page.NextPageToken);
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        return points;
    }

    private async Task<IVectorStore> StartedAsync()
    {
        var store = await CreateAsync();
        await store.CreateCollectionAsync(new(Name, 2, null), CollectionSettings.None, [Number, Time], None);
        return store;
    }

    // Values in small and large groups, of other types, and none.
    private static async Task<List<StoredPoint>> UpsertAsync(IVectorStore store, Random random)
    {
        var start = DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000);
        var points = Enumerable.Range(0, Points)
            .Select(i =>
            {
                JsonNode? value = random.Next(8) switch
                {
                    0 => "12",
                    1 => new JsonArray(1, 2),
                    2 => null,
                    3 => random.NextDouble() * 1e-9,
                    4 => -random.Next(1, 100) * 1e12,
                    5 => 7,
                    _ => random.Next(5),
                };
                var at = start.AddMilliseconds(random.Next(4) == 0 ? random.Next(100_000_000) : 500);
                JsonNode? time = random.Next(6) switch
                {
                    0 => 5,
                    1 => "no time",
                    2 => at.ToOffset(TimeSpan.FromHours(2)).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture),
                    3 => "9999-12-31T00:00:00Z",
                    _ => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
                };
                return new StoredPoint(
                    $"p{random.Next(1 << 20):x}-{i}",
                    new float[] { 1, i },
                    new()
                    {
                        JobId = $"job{i % 3}",
                        StoredAt = start.AddMilliseconds(random.Next(3) == 0 ? i : 1),
                        Confidence = random.Next(3) switch { 0 => null, 1 => 0.9f, _ => (float)random.NextDouble() },
                        Attributes = random.Next(10) == 0
                            ? null
                            : new() { ["n"] = random.Next(10) == 0 ? 1 : new JsonObject { ["a.b"] = value }, ["at"] = time },
                    });
            })
            .ToList();
        await store.UpsertAsync(Name, points, None);
        return points;
    }
}
