using System.Text.Json.Nodes;
using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>Filters of the embedded store, and its indexes of attributes.</summary>
public sealed class EmbeddedFilterTests : FilterContract, IDisposable
{
    private const string Name = "c";
    private const int Dimension = 4;
    private static readonly CancellationToken None = CancellationToken.None;
    private static readonly IndexedAttribute Tag = new("tag", AttributeType.Text);
    private static readonly IndexedAttribute Number = new(Path("o", "n"), AttributeType.Number);
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    private protected override async Task<IVectorStore> CreateAsync() => await EmbeddedStores.StartAsync(_directory.Path);

    [Fact]
    public async Task Indexes_are_used_and_survive_a_restart()
    {
        await using (var store = await FilledAsync(3000))
        {
            await store.SetIndexedAttributesAsync(Name, [Tag, Number], [], None);
            await CheckAsync(store);
        }

        await using (var store = await EmbeddedStores.StartAsync(_directory.Path))
        {
            Assert.Equal([Number, Tag], (await store.FindCollectionAsync(Name, None))!.IndexedAttributes);
            await CheckAsync(store);
        }

        using var session = SqliteSchema.Open(_directory.Path, readOnly: true);
        var indexes = AttributeIndexes.List(session, 1);
        foreach (var condition in (AttributeCondition[])
            [
                new("tag", Text: "t1"),
                new("tag") { TextIn = ["t1", "t2"] },
                new("tag") { Prefix = "t" },
                new(Path("o", "n"), Range: new(5, null, null, 7)),
                new(Path("o", "n")) { NumberIn = [1, 2] },
            ])
        {
            using var command = FilterSql.Command(
                session, "EXPLAIN QUERY PLAN SELECT row FROM points_1", Has(condition), indexes: indexes);
            using var reader = command.ExecuteReader();
            Assert.True(reader.Read());
            Assert.Contains("USING COVERING INDEX points_1_attribute_", reader.GetString(3), StringComparison.Ordinal);
        }

        async Task CheckAsync(EmbeddedVectorStore store)
        {
            Assert.Equal(300, await store.CountAsync(Name, Has(new("tag", Text: "t1")), None));
            Assert.Equal(3, await store.CountAsync(Name, Has(new(Path("o", "n"), Range: new(5, null, null, 8))), None));
            var spec = new SearchSpec { Filter = Has(new("tag", Text: "t1"), new(Path("o", "n"), Number: 11)), WithPayload = false };
            var found = await store.SearchAsync(Name, [new(new float[] { 1, 2, 3, 4 })], spec, None);
            Assert.Equal("p11", Assert.Single(found[0]).Point.Id);
        }
    }

    [Fact]
    public async Task A_large_collection_with_indexes_is_dropped_with_all_that_it_had()
    {
        await using var store = await FilledAsync(3000);
        await store.SetIndexedAttributesAsync(Name, [Tag], [], None);
        await store.DropCollectionAsync(Name, None);
        await store.EnsureCollectionAsync(new(Name, Dimension, null), None);
        Assert.Empty((await store.FindCollectionAsync(Name, None))!.IndexedAttributes);
        using var session = SqliteSchema.Open(_directory.Path, readOnly: true);
        Assert.Equal(0L, session.Scalar("SELECT count(*) FROM attribute_indexes"));
    }

    [Fact]
    public async Task Writes_and_searches_during_the_build_of_an_index_are_in_it()
    {
        await using var store = await FilledAsync(5000);
        using var stop = new CancellationTokenSource();
        var written = 0;
        var writing = Task.Run(async () =>
        {
            for (; !stop.IsCancellationRequested; written++)
            {
                await store.UpsertAsync(Name, [Point(10_000 + written)], None);
                await store.UpdateAttributesAsync(
                    Name, [$"p{written % 5000}"], point => new JsonObject { ["tag"] = "updated", ["o"] = point.Payload.Attributes!["o"]?.DeepClone() }, None);
            }
        });
        for (var i = 0; i < 10; i++)
        {
            await store.SetIndexedAttributesAsync(Name, [Tag], [], None);
            await SameAsync();
            await store.SetIndexedAttributesAsync(Name, [Number], [Tag], None);
            await SameAsync();
            await store.SetIndexedAttributesAsync(Name, [], [Number], None);
        }

        await store.SetIndexedAttributesAsync(Name, [Tag, Number], [], None);
        await stop.CancelAsync();
        await writing;
        Assert.NotEqual(0, written);
        foreach (var filter in (PointFilter[])[Has(new("tag", Text: "t3")), Has(new("tag", Text: "updated")), Has(new(Path("o", "n"), Range: new(4990, null, null, null)))])
        {
            Assert.Equal(await IdsAsync(filter), await SearchAsync(filter));
        }

        async Task SameAsync()
        {
            // No write touches it.
            var filter = new PointFilter { PointIds = ["p4999"], AllOf = [Has(new("tag", Exists: true))] };
            Assert.Single(await SearchAsync(filter));
            Assert.Equal(["p4998"], await SearchAsync(Has(new(Path("o", "n"), Number: 4998))));
        }

        async Task<string[]> SearchAsync(PointFilter filter)
        {
            var spec = new SearchSpec { Filter = filter, Limit = 20_000, WithPayload = false };
            var found = await store.SearchAsync(Name, [new(new float[] { 1, 2, 3, 4 })], spec, None);
            return [.. found[0].Select(hit => hit.Point.Id).Order(StringComparer.Ordinal)];
        }

        async Task<string[]> IdsAsync(PointFilter filter)
        {
            var page = await store.ListAsync(Name, filter, 20_000, "", false, None);
            return [.. page.Points.Select(point => point.Id).Order(StringComparer.Ordinal)];
        }
    }

    [Fact]
    public async Task A_store_of_version_3_is_upgraded()
    {
        await (await FilledAsync(10)).DisposeAsync();
        using (var session = SqliteSchema.Open(_directory.Path, readOnly: false))
        {
            SqliteSchema.Run(session.Connection, "DROP TABLE attribute_indexes; PRAGMA user_version = 3;");
        }

        await using var store = await EmbeddedStores.StartAsync(_directory.Path);
        await store.SetIndexedAttributesAsync(Name, [Tag], [], None);
        Assert.Equal(1, await store.CountAsync(Name, Has(new("tag", Text: "t1")), None));
        Assert.Equal(10, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Sixty_four_conditions_with_a_thousand_values_each_are_possible()
    {
        await using var store = await FilledAsync(10);
        string[] texts = [.. Enumerable.Range(0, 1000).Select(i => $"t{i}")];
        double[] numbers = [.. Enumerable.Range(0, 1000).Select(i => i + 0.1)];
        await store.SetIndexedAttributesAsync(Name, [Tag, Number], [], None);
        var filter = new PointFilter
        {
            AllOf =
            [
                .. Enumerable.Range(0, 32).Select(_ => Has(new AttributeCondition("tag") { TextIn = texts })),
                .. Enumerable.Range(0, 16).Select(_ => new PointFilter { NoneOf = [Has(new AttributeCondition(Path("o", "n")) { NumberIn = numbers })] }),
                .. Enumerable.Range(0, 16).Select(_ => new PointFilter { NoneOf = [new() { JobIds = texts }] }),
            ],
        };
        Assert.Equal(10, await store.CountAsync(Name, filter, None));
        Assert.Equal(0, await store.CountAsync(Name, new() { NoneOf = [filter] }, None));
    }

    private async Task<EmbeddedVectorStore> FilledAsync(int count)
    {
        var store = await EmbeddedStores.StartAsync(_directory.Path);
        await store.EnsureCollectionAsync(new(Name, Dimension, null), None);
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, count).Select(Point)], None);
        return store;
    }

    private static StoredPoint Point(int i) => new($"p{i}", new float[] { 1, i, 2, 3 }, new()
    {
        Attributes = new() { ["tag"] = $"t{i % 10}", ["o"] = new JsonObject { ["n"] = i } },
    });
}
