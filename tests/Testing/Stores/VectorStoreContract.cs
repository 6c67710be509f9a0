using System.Text.Json.Nodes;
using Embeddings.Core;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>The contract of all stores; one test class per store derives from it.</summary>
public abstract partial class VectorStoreContract
{
    private const string Name = "faces";
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Points_are_restored_bit_for_bit()
    {
        await using var store = await StartedAsync(3);
        var point = new StoredPoint("p", new[] { 3e-41f, -1.5f, 1e30f }, new PointPayload
        {
            JobId = "job",
            MediaStoreId = "media",
            FaceIndex = 7,
            Bbox = new BoundingBox(0.1f, 2, 3.5f, 4),
            Confidence = 0.9f,
            Landmarks = [1.1f, 2, 3, 4, 5, 6, 7, 8, 9, 10.25f],
            Attributes = JsonNode.Parse("""{"a":"x","b":[1,2,{"c":null}],"d":1.5,"e":true,"":"empty key"}""")!.AsObject(),
        });

        await store.UpsertAsync(Name, [point], None);
        var found = await store.GetAsync(Name, "p", None);

        Assert.NotNull(found);
        Assert.Equal(point.Id, found.Id);
        AssertSameVector(point.Vector.ToArray(), found.Vector.ToArray());
        Assert.Equal(point.Payload with { Attributes = null, Landmarks = null }, found.Payload with { Attributes = null, Landmarks = null, StoredAt = null });
        Assert.Equal(point.Payload.Landmarks, found.Payload.Landmarks);
        Assert.True(JsonNode.DeepEquals(point.Payload.Attributes, found.Payload.Attributes));
    }

    [Fact]
    public async Task A_dimension_above_the_limit_is_refused()
    {
        await using var store = await CreateAsync();
        var fault = await Assert.ThrowsAsync<Fault>(() => store.EnsureCollectionAsync(new("large", 16_385, null), None).AsTask());
        Assert.Equal((FaultKind.InvalidArgument, Reasons.FieldTooLong, "vector"), (fault.Kind, fault.Reason, fault.Field));
        Assert.Contains("at most 16384 dimensions", fault.Message, StringComparison.Ordinal);
        Assert.Contains("MaxDimension", fault.Message, StringComparison.Ordinal);
        Assert.Contains("got 16385", fault.Message, StringComparison.Ordinal);
        Assert.Null(await store.FindCollectionAsync("large", None));
        await store.EnsureCollectionAsync(new("large", 16_384, null), None);
        Assert.Equal(16_384, (await store.FindCollectionAsync("large", None))!.Dimension);
    }

    [Fact]
    public async Task A_dropped_collection_is_gone_and_can_be_created_again()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [Point("p", [1, 0]), Point("q", [0, 1])], None);
        Assert.Equal(2, await store.DropCollectionAsync(Name, None));

        Assert.Null(await store.FindCollectionAsync(Name, None));
        Assert.Empty(await store.ListCollectionsAsync(None));
        foreach (var call in (Func<Task>[])[
            () => store.DropCollectionAsync(Name, None),
            () => store.UpsertAsync(Name, [Point("p", [1, 0])], None),
            () => store.GetAsync(Name, "p", None),
            () => store.CountAsync(Name, PointFilter.All, None)])
        {
            Assert.Equal(Reasons.CollectionNotFound, (await Assert.ThrowsAsync<Fault>(call)).Reason);
        }

        await store.EnsureCollectionAsync(new(Name, 3, null), None);
        await store.UpsertAsync(Name, [Point("p", [1, 0, 0])], None);
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Writers_of_a_dropped_collection_get_an_error()
    {
        await using var store = await StartedAsync(2);
        var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; ; i++)
            {
                await store.UpsertAsync(Name, [Point($"{writer}-{i}", [1, i])], None);
            }
        })).ToList();
        await store.UpsertAsync(Name, [Point("p", [1, 0])], None);
        await store.DropCollectionAsync(Name, None);
        foreach (var writer in writers)
        {
            Assert.Equal(Reasons.CollectionNotFound, (await Assert.ThrowsAsync<Fault>(() => writer.WaitAsync(TimeSpan.FromSeconds(30)))).Reason);
        }
    }

    [Fact]
    public async Task Absent_fields_stay_absent()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [Point("p", [1, 0])], None);
        var found = await store.GetAsync(Name, "p", None);
        Assert.Equal(PointPayload.Empty, found!.Payload with { Attributes = null, Landmarks = null, StoredAt = null });
        Assert.Null(found.Payload.Attributes);
        Assert.Null(found.Payload.Landmarks);
        Assert.Null(await store.GetAsync(Name, "q", None));
    }

    [Theory]
    [InlineData("it's \"quoted\"; DROP TABLE points_1; --")]
    [InlineData("наука 🚀 e\u0301")]
    [InlineData("nul\0in the middle")]
    [InlineData("%_\\$1?\n\t")]
    public async Task Any_text_is_stored_unchanged(string text)
    {
        await using var store = await StartedAsync(2);
        var attributes = new JsonObject { ["k." + text] = text, ["other"] = 1 };
        await store.UpsertAsync(
            Name,
            [
                new StoredPoint(text, new float[] { 1, 0 }, new PointPayload { JobId = text, MediaStoreId = text, Attributes = attributes }),
                new StoredPoint(text.Split('\0')[0] + "x", new float[] { 0, 1 }, new PointPayload { JobId = text.Split('\0')[0] + "x" }),
            ],
            None);

        var found = await store.GetAsync(Name, text, None);
        Assert.Equal((text, text, text), (found!.Id, found.Payload.JobId, found.Payload.MediaStoreId));
        Assert.Equal(text, (string?)found.Payload.Attributes!["k." + text]);
        Assert.Equal(1, await store.CountAsync(Name, new PointFilter { JobId = text }, None));
        Assert.Equal(1, await store.CountAsync(Name, new PointFilter { MediaStoreId = text }, None));
        Assert.Equal(1, await store.CountAsync(Name, Where(new AttributeCondition("k." + text, Text: text)), None));
        Assert.Equal(0, await store.CountAsync(Name, Where(new AttributeCondition("k." + text, Text: text + "\0")), None));
        Assert.Equal(text, Assert.Single(await SearchAsync(store, [1, 0], new SearchSpec { Limit = 1 })).Point.Id);
        Assert.Equal(1, await store.DeleteAsync(Name, [text], None));
        Assert.Equal(1, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Attribute_conditions_are_strict_about_types()
    {
        await using var store = await StartedAsync(2);
        string[] values = ["1", "\"1\"", "1.0", "true", "null", "[1]", "{\"k\":1}", "\"true\"", "9007199254740993"];
        await store.UpsertAsync(
            Name,
            [.. values.Select((value, i) => Point($"{i}", [1, 0], $$"""{"k":{{value}}}""")),
                Point("absent", [1, 0], """{"K":1,"x":{"k":1}}"""), Point("none", [1, 0])],
            None);

        Assert.Equal("0,2", await IdsAsync(new AttributeCondition("k", Number: 1)));
        Assert.Equal("1", await IdsAsync(new AttributeCondition("k", Text: "1")));
        Assert.Equal("3", await IdsAsync(new AttributeCondition("k", Flag: true)));
        Assert.Equal("", await IdsAsync(new AttributeCondition("k", Flag: false)));
        Assert.Equal("0,2", await IdsAsync(new AttributeCondition("k", Range: new NumericRange(0, null, null, 1))));
        Assert.Equal("8", await IdsAsync(new AttributeCondition("k", Range: new NumericRange(1, null, null, null))));
        Assert.Equal("", await IdsAsync(new AttributeCondition("k", Number: 1), new AttributeCondition("k", Text: "1")));
        Assert.Equal("", await IdsAsync(new AttributeCondition("k')) OR 1=1 --", Number: 1)));

        async Task<string> IdsAsync(params AttributeCondition[] conditions)
        {
            var page = await store.ListAsync(Name, Where(conditions), 100, "", false, None);
            return string.Join(',', page.Points.Select(point => point.Id).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task All_conditions_of_a_filter_must_hold()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(
            Name,
            [.. Enumerable.Range(0, 20).Select(i => new StoredPoint(
                $"{i:D2}",
                new[] { 1f, i },
                new PointPayload { JobId = $"j{i % 2}", MediaStoreId = $"m{i % 3}", FaceIndex = i % 4 == 0 ? null : i % 4, Confidence = i / 10f }))],
            None);

        Assert.Equal(10, await store.CountAsync(Name, new PointFilter { JobId = "j1" }, None));
        Assert.Equal(3, await store.CountAsync(Name, new PointFilter { JobId = "j1", MediaStoreId = "m0" }, None));
        Assert.Equal(5, await store.CountAsync(Name, new PointFilter { FaceIndex = 1 }, None));
        Assert.Equal(0, await store.CountAsync(Name, new PointFilter { FaceIndex = 0 }, None));
        Assert.Equal(11, await store.CountAsync(Name, new PointFilter { Confidence = new NumericRange(null, 0.9, null, null) }, None));
        Assert.Equal(10, await store.CountAsync(Name, new PointFilter { Confidence = new NumericRange(0.9, null, null, null) }, None));
        Assert.Equal(0, await store.CountAsync(Name, new PointFilter { JobId = "" }, None));
        Assert.Equal(
            ["03", "09", "15"],
            (await SearchAsync(store, [1, 0], new SearchSpec { Filter = new PointFilter { JobId = "j1", MediaStoreId = "m0" } })).Select(hit => hit.Point.Id));
        Assert.Equal(10, await store.DeleteAsync(Name, new PointFilter { JobId = "j1" }, None));
        Assert.Equal(10, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Empty(await SearchAsync(store, [1, 0], new SearchSpec { Filter = new PointFilter { JobId = "j1" } }));
    }

    [Fact]
    public async Task The_last_point_of_an_id_wins()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [Point("p", [1, 0]), Point("q", [0, 1]), Point("p", [0, 5])], None);
        Assert.Equal(2, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Equal(new float[] { 0, 5 }, (await store.GetAsync(Name, "p", None))!.Vector.ToArray());
        Assert.Equal(1, (await SearchAsync(store, [0, 1], new SearchSpec()))[0].Score, 1e-6);
    }

    [Fact]
    public async Task Deletion_counts_existing_points()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [Point("a", [1, 0]), Point("b", [0, 1]), Point("c", [1, 1])], None);
        Assert.Equal(2, await store.DeleteAsync(Name, ["a", "missing", "a", "c"], None));
        Assert.Equal(0, await store.DeleteAsync(Name, ["a"], None));
        Assert.Equal(0, await store.DeleteAsync(Name, [], None));
        Assert.Null(await store.GetAsync(Name, "a", None));
        Assert.Equal("b", Assert.Single(await SearchAsync(store, [1, 0], new SearchSpec())).Point.Id);
    }

    [Fact]
    public async Task Collections_belong_to_their_first_model()
    {
        await using var store = await CreateAsync();
        var first = new ModelStamp("one", new string('a', 64));
        await store.EnsureCollectionAsync(new CollectionSpec(Name, 512, null), None);
        Assert.Equal(new CollectionInfo(Name, 512, 0, null), await store.FindCollectionAsync(Name, None));
        await store.EnsureCollectionAsync(new CollectionSpec(Name, 512, first), None);
        await store.EnsureCollectionAsync(new CollectionSpec(Name, 512, null), None);
        await store.EnsureCollectionAsync(new CollectionSpec(Name, 512, first with { Name = "renamed" }), None);
        Assert.Equal(new CollectionInfo(Name, 512, 0, first), await store.FindCollectionAsync(Name, None));

        var dimension = await Assert.ThrowsAsync<Fault>(() => EnsureAsync(128, new ModelStamp("m", "f")));
        Assert.Equal(FaultKind.FailedPrecondition, dimension.Kind);
        Assert.Contains("512", dimension.Message, StringComparison.Ordinal);
        Assert.Contains("'m' makes 128", dimension.Message, StringComparison.Ordinal);

        var model = await Assert.ThrowsAsync<Fault>(() => EnsureAsync(512, new ModelStamp("two", new string('b', 64))));
        Assert.Equal((FaultKind.FailedPrecondition, Reasons.CollectionModelMismatch), (model.Kind, model.Reason));
        Assert.Contains("'one'", model.Message, StringComparison.Ordinal);
        Assert.Contains("'two'", model.Message, StringComparison.Ordinal);

        await store.EnsureCollectionAsync(new CollectionSpec("Another", 2, null), None);
        Assert.Equal(["Another", Name], (await store.ListCollectionsAsync(None)).Select(info => info.Name));
        Assert.Null(await store.FindCollectionAsync("missing", None));

        Task EnsureAsync(int dimension, ModelStamp model) => store.EnsureCollectionAsync(new CollectionSpec(Name, dimension, model), None).AsTask();
    }

    [Fact]
    public async Task A_collection_can_be_created_concurrently()
    {
        await using var store = await CreateAsync();
        var spec = new CollectionSpec(Name, 2, new ModelStamp("m", "f"));
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => store.EnsureCollectionAsync(spec, None).AsTask()));
        Assert.Single(await store.ListCollectionsAsync(None));
    }

    [Fact]
    public async Task Missing_collections_and_wrong_dimensions_are_reported()
    {
        await using var store = await StartedAsync(2);
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.UpsertAsync("missing", [Point("p", [1, 0])], None));
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.GetAsync("missing", "p", None));
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.DeleteAsync("missing", ["p"], None));
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.CountAsync("missing", PointFilter.All, None));
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.ListAsync("missing", PointFilter.All, 1, "", false, None));
        await AssertFaultAsync(
            FaultKind.InvalidArgument, Reasons.DimensionMismatch, () => store.UpsertAsync(Name, [Point("p", [1, 0]), Point("q", [1, 0, 0])], None));
        await AssertFaultAsync(FaultKind.InvalidArgument, Reasons.DimensionMismatch, () => SearchAsync(store, [1], new SearchSpec()));
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
        Assert.Empty(await SearchAsync(store, [1, 0], new SearchSpec()));
        Assert.Null(await store.CheckAsync(None));
    }

    [Fact]
    public async Task A_call_cancelled_before_it_starts_does_nothing()
    {
        await using var store = await StartedAsync(2);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => store.UpsertAsync(Name, [Point("p", [1, 0])], cancelled.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => store.SearchAsync(Name, [new VectorQuery(new float[] { 1, 0 })], new SearchSpec(), cancelled.Token));
        Assert.Equal(0, await store.CountAsync(Name, PointFilter.All, None));
    }

    /// <summary>Starts an empty store; disposing it removes its data.</summary>
    private protected abstract Task<IVectorStore> CreateAsync();

    private async Task<IVectorStore> StartedAsync(int dimension)
    {
        var store = await CreateAsync();
        await store.EnsureCollectionAsync(new CollectionSpec(Name, dimension, null), None);
        return store;
    }
}
