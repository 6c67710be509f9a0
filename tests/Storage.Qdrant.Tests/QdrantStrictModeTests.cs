using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Grpc.Core;
using Qdrant.Client;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Collections in Qdrant's strict mode: filters get indexes, and limits are kept without the caller's help.</summary>
public sealed class QdrantStrictModeTests : QdrantTestBase
{
    private const string CreateIndex = "Points/CreateFieldIndex";
    private const int FixedIndexes = 4;
    private static readonly PointFilter ByYear = VectorStoreContract.Where(new AttributeCondition("year", Number: 2024));

    [Fact]
    public async Task An_attribute_gets_its_index_when_it_is_first_filtered_by()
    {
        await using var store = await StrictStoreAsync(new());
        var created = new List<CreateFieldIndexCollection>();
        Troubles.Observer = (_, request) =>
        {
            if (request is CreateFieldIndexCollection index)
            {
                created.Add(index);
            }
        };
        await store.UpsertAsync(Name, [.. Enumerable.Range(2020, 10).Select(year => Point(year))], None);
        Assert.Equal(1, await store.CountAsync(Name, ByYear, None));
        Assert.Equal("2024", Assert.Single((await store.ListAsync(Name, ByYear, 10, "", false, None)).Points).Id);
        Assert.Equal("2024", Assert.Single((await store.SearchAsync(Name, [new(new float[] { 1, 0 })], new() { Filter = ByYear }, None))[0]).Point.Id);
        Assert.Equal(1, await store.DeleteAsync(Name, ByYear, None));

        // One for the values, and one for the items of lists, which never equal a value.
        Assert.Equal(["attributes.year", "attributes.year[]"], created.Select(index => index.FieldName));
        Assert.All(created, index => Assert.True(index is { FieldType: FieldType.Float, Wait: true }, $"{index}"));
        await using var other = await StoreAsync();
        Assert.Equal(0, await other.CountAsync(Name, ByYear, None));
        Assert.Equal(2, created.Count);
    }

    [Fact]
    public async Task Without_strict_mode_no_index_is_created()
    {
        await using var store = await FilledStoreAsync();
        Assert.Equal(0, await store.CountAsync(Name, ByYear, None));
        Assert.Equal(FixedIndexes, Troubles.Calls(CreateIndex));
    }

    [Fact]
    public async Task Concurrent_filters_on_values_of_different_types_of_one_attribute_find_their_points()
    {
        await using var store = await StrictStoreAsync(new());
        string[] values = ["1", "\"1\"", "true"];
        await store.UpsertAsync(Name, [.. values.Select(value => VectorStoreContract.Point(value, [1, 0], $$"""{"k":{{value}}}"""))], None);
        AttributeCondition[] conditions = [new("k", Number: 1), new("k", Text: "1"), new("k", Flag: true)];
        await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(async () =>
        {
            var page = await store.ListAsync(Name, VectorStoreContract.Where(conditions[i % 3]), 10, "", false, None);
            Assert.Equal(values[i % 3], Assert.Single(page.Points).Id);
        })));
    }

    [Fact]
    public async Task An_index_that_another_program_removed_is_created_again()
    {
        await using var store = await StrictStoreAsync(new());
        await store.UpsertAsync(Name, [Point(2024)], None);
        Assert.Equal(1, await store.CountAsync(Name, ByYear, None));
        using var client = new QdrantClient(Server.Address);
        await client.DeletePayloadIndexAsync(Name, "attributes.year");
        Assert.Equal(1, await store.CountAsync(Name, ByYear, None));
    }

    [Fact]
    public async Task The_number_of_indexes_is_limited_with_an_error_that_names_the_limit()
    {
        await using var store = await StrictStoreAsync(
            new() { MaxPayloadIndexCount = FixedIndexes + 6 }, options => options with { MaxIndexedAttributes = 2 });
        Assert.Equal(0, await store.CountAsync(Name, On("a"), None));
        Assert.Equal(0, await store.CountAsync(Name, On("b"), None));
        var ours = await FaultAsync(FaultKind.ResourceExhausted, Reasons.StoreFull, () => store.CountAsync(Name, On("c"), None));
        Assert.Contains("Store:Qdrant:MaxIndexedAttributes", ours.Message, StringComparison.Ordinal);
        Assert.Equal(0, await store.CountAsync(Name, On("a"), None));

        await using var other = await StoreAsync();
        Assert.Equal(0, await other.CountAsync(Name, On("c"), None));
        var theirs = await FaultAsync(FaultKind.ResourceExhausted, Reasons.StoreFull, () => other.CountAsync(Name, On("d"), None));
        Assert.Contains($"({FixedIndexes + 6})", theirs.Message, StringComparison.Ordinal);

        static PointFilter On(string key) => VectorStoreContract.Where(new AttributeCondition(key, Text: "x"));
    }

    [Fact]
    public async Task Pages_and_searches_may_exceed_the_limit_of_the_collection()
    {
        await using var store = await StrictStoreAsync(new() { MaxQueryLimit = 100, SearchMaxBatchsize = 2 });
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 500).Select(i => Point($"p{i:D3}", 1, i))], None);
        var page = await store.ListAsync(Name, PointFilter.All, 216, "", true, None);
        var rest = await store.ListAsync(Name, PointFilter.All, 500, page.NextPageToken, false, None);
        Assert.Equal((216, 284, ""), (page.Points.Count, rest.Points.Count, rest.NextPageToken));
        Assert.Equal(500, page.Points.Concat(rest.Points).DistinctBy(point => point.Id).Count());

        VectorQuery[] queries = [.. Enumerable.Range(0, 5).Select(_ => new VectorQuery(new float[] { 1, 0 }))];
        foreach (var limit in new[] { 99, 100, 216, 1000 })
        {
            var hits = await store.SearchAsync(Name, queries, new() { Limit = limit, WithPayload = false }, None);
            Assert.All(hits, found => Assert.Equal(
                Enumerable.Range(0, Math.Min(limit, 500)).Select(i => $"p{i:D3}"), found.Select(hit => hit.Point.Id)));
        }
    }

    [Fact]
    public async Task Tied_points_are_ordered_although_they_exceed_the_limit_of_the_collection()
    {
        await using var store = await StrictStoreAsync(new() { MaxQueryLimit = 7 });
        string[] ids = [.. Enumerable.Range(0, 40).Select(i => $"p{i:D2}")];
        new Random(2).Shuffle(ids);
        await store.UpsertAsync(Name, [.. ids.Select(id => Point(id))], None);
        var hits = await store.SearchAsync(Name, [new(new float[] { 1, 0 })], new() { Limit = 10 }, None);
        Assert.Equal(ids.Order(StringComparer.Ordinal).Take(10), hits[0].Select(hit => hit.Point.Id));
    }

    [Fact]
    public async Task Upserts_have_the_size_that_the_collection_permits()
    {
        await using var store = await StrictStoreAsync(new() { UpsertMaxBatchsize = 30 });
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 100).Select(i => Point($"p{i}"))], None);
        Assert.Equal(4, Troubles.Calls(Upsert));
        Assert.Equal(100, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task A_collection_without_exact_search_is_counted_and_deleted_from_exactly()
    {
        await using var store = await StrictStoreAsync(new() { SearchAllowExact = false, SearchMaxHnswEf = 200, MaxQueryLimit = 100 });
        await store.UpsertAsync(Name, [.. Enumerable.Range(1900, 250).Select(year => Point(year))], None);
        Assert.Equal(250, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Equal(250, Assert.Single(await store.ListCollectionsAsync(None)).Count);
        Assert.Equal(1, await store.DeleteAsync(Name, ByYear, None));
        Assert.Equal(249, (await store.SearchAsync(Name, [new(new float[] { 1, 0 })], new() { Limit = 1000 }, None))[0].Count);
        foreach (var (spec, limit) in new[] { (new SearchSpec { Exact = true }, "search_allow_exact"), (new() { HnswEf = 500 }, "200") })
        {
            var fault = await FaultAsync(
                FaultKind.FailedPrecondition,
                Reasons.CollectionRestricted,
                () => store.SearchAsync(Name, [new(new float[] { 1, 0 })], spec, None));
            Assert.Contains(limit, fault.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Limits_that_are_set_while_the_server_runs_are_kept_at_once()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [.. Enumerable.Range(1900, 250).Select(year => Point(year))], None);
        using var client = new QdrantGrpcClient(Server.Address.Host, Server.Address.Port);
        await client.Collections.UpdateAsync(new()
        {
            CollectionName = Name,
            StrictModeConfig = new() { Enabled = true, MaxQueryLimit = 50, UpsertMaxBatchsize = 20, UnindexedFilteringRetrieve = false },
        });
        Assert.Equal(250, (await store.ListAsync(Name, PointFilter.All, 300, "", false, None)).Points.Count);
        Assert.Equal(1, await store.CountAsync(Name, ByYear, None));
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 100).Select(i => Point($"p{i}"))], None);
        Assert.Equal(350, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Theory]
    [InlineData("Condition size limit reached (100 > 10). Help: Reduce the size of your condition.", FaultKind.FailedPrecondition, Reasons.CollectionRestricted)]
    [InlineData("Max points count limit of 100 reached!", FaultKind.ResourceExhausted, Reasons.StoreFull)]
    public async Task Other_restrictions_are_no_fault_of_the_request(string detail, FaultKind kind, string reason)
    {
        await using var store = await FilledStoreAsync();
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Status = StatusCode.InvalidArgument, Message = $"Bad request: {detail}" });
        var fault = await FaultAsync(kind, reason, () => store.UpsertAsync(Name, [Point("p")], None));
        Assert.Contains(detail, fault.Message, StringComparison.Ordinal);
    }

    private static StoredPoint Point(int year) =>
        new($"{year}", new float[] { 1, year }, new() { Attributes = new JsonObject { ["year"] = year } });

    /// <summary>A store with a collection in strict mode, in which filters need indexes.</summary>
    private async Task<QdrantVectorStore> StrictStoreAsync(
        StrictModeConfig strict, Func<QdrantStoreOptions, QdrantStoreOptions>? with = null)
    {
        strict.Enabled = true;
        strict.UnindexedFilteringRetrieve = false;
        strict.UnindexedFilteringUpdate = false;
        await ReplaceServerAsync(new() { StrictMode = strict });
        return await FilledStoreAsync(with);
    }
}
