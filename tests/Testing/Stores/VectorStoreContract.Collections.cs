using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>Settings and aliases of collections, and operations on several points.</summary>
public abstract partial class VectorStoreContract
{
    private static readonly IndexedAttribute Year = new(["year"], AttributeType.Number);
    private static readonly IndexedAttribute Lens = new(["camera", "lens"], AttributeType.Text);
    private static readonly CollectionSettings ThreeDays = new() { Retention = TimeSpan.FromDays(3) };

    /// <summary>False if the store refuses settings of collections.</summary>
    private protected virtual bool SupportsSettings => true;

    [Fact]
    public async Task A_created_collection_has_its_settings_and_model()
    {
        await using var store = await CreateAsync();
        var spec = new CollectionSpec(Name, 2, new("m", new string('a', 64)));
        if (!SupportsSettings)
        {
            await AssertFaultAsync(
                FaultKind.FailedPrecondition, Reasons.SettingsUnsupported, () => store.CreateCollectionAsync(spec, ThreeDays, [], None));
            Assert.Null(await store.ReadCollectionAsync(Name, None));
            await store.CreateCollectionAsync(spec, CollectionSettings.None, [], None);
            Assert.Equal(spec, (await store.ReadCollectionAsync(Name, None))!.Spec);
            await AssertFaultAsync(
                FaultKind.FailedPrecondition,
                Reasons.SettingsUnsupported,
                () => store.UpdateSettingsAsync(Name, new() { RemoveRetention = true }, None));
            return;
        }

        await store.CreateCollectionAsync(spec, ThreeDays, [Year, Lens], None);
        foreach (var info in (CollectionInfo?[])[
            await store.ReadCollectionAsync(Name, None),
            await store.FindCollectionAsync(Name, None),
            Assert.Single(await store.ListCollectionsAsync(None))])
        {
            Assert.Equal((spec, 0L, ThreeDays), (info!.Spec, info.Count, info.Settings));
            Assert.Equal([Lens, Year], info.IndexedAttributes);
        }

        await AssertFaultAsync(
            FaultKind.AlreadyExists, Reasons.CollectionExists, () => store.CreateCollectionAsync(spec, CollectionSettings.None, [], None));
        await store.EnsureCollectionAsync(spec, None);
        Assert.Equal(ThreeDays, (await store.ReadCollectionAsync(Name, None))!.Settings);
        await store.UpsertAsync(Name, [Point("p", [1, 0])], None);
        Assert.Equal(1, (await store.ReadCollectionAsync(Name, None))!.Count);
        Assert.Null(await store.ReadCollectionAsync("missing", None));
    }

    [Fact]
    public async Task Settings_change_one_by_one_and_go_with_their_collection()
    {
        if (!SupportsSettings)
        {
            return;
        }

        await using var store = await StartedAsync(2);
        await store.UpdateSettingsAsync(Name, new() { Retention = TimeSpan.FromSeconds(7) }, None);
        await store.SetIndexedAttributesAsync(Name, [Year, Lens], [], None);
        Assert.Equal(TimeSpan.FromSeconds(7), (await store.ReadCollectionAsync(Name, None))!.Settings.Retention);
        // Those that are there, or are not, are ignored.
        await store.SetIndexedAttributesAsync(Name, [Lens], [Year, new(["none"], AttributeType.Flag)], None);
        Assert.Equal([Lens], (await store.ReadCollectionAsync(Name, None))!.IndexedAttributes);
        await store.UpdateSettingsAsync(Name, new() { RemoveRetention = true }, None);
        var info = (await store.ReadCollectionAsync(Name, None))!;
        Assert.Null(info.Settings.Retention);
        Assert.Equal([Lens], info.IndexedAttributes);
        await AssertFaultAsync(
            FaultKind.NotFound, Reasons.CollectionNotFound, () => store.UpdateSettingsAsync("missing", new() { RemoveRetention = true }, None));
        await AssertFaultAsync(
            FaultKind.NotFound, Reasons.CollectionNotFound, () => store.SetIndexedAttributesAsync("missing", [Year], [], None));

        await store.DropCollectionAsync(Name, None);
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Assert.Empty((await store.ReadCollectionAsync(Name, None))!.IndexedAttributes);
    }

    [Fact]
    public async Task A_collection_is_created_once_by_concurrent_calls()
    {
        await using var store = await CreateAsync();
        var created = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            try
            {
                await store.CreateCollectionAsync(new(Name, 2, null), CollectionSettings.None, [], None);
                return "";
            }
            catch (Fault fault)
            {
                return fault.Reason;
            }
        }));
        Assert.Equal(7, created.Count(reason => reason == Reasons.CollectionExists));
        Assert.Single(created, "");
    }

    [Fact]
    public async Task Aliases_change_at_once_and_go_with_their_collection()
    {
        await using var store = await StartedAsync(2);
        await store.EnsureCollectionAsync(new("other", 2, null), None);
        Assert.Empty(await store.AliasesAsync(None));
        await store.UpdateAliasesAsync([new("a", Name), new("b", Name)], [], None);
        Assert.Equal($"a={Name} b={Name}", await AliasesAsync());
        await store.UpdateAliasesAsync([new("a", "other"), new("c", Name)], ["b"], None);
        Assert.Equal($"a=other c={Name}", await AliasesAsync());
        // Repeating a change changes nothing.
        await store.UpdateAliasesAsync([new("a", "other")], [], None);
        Assert.Equal($"a=other c={Name}", await AliasesAsync());

        // A change that fails changes nothing.
        await AssertFaultAsync(
            FaultKind.NotFound, Reasons.CollectionNotFound, () => store.UpdateAliasesAsync([new("a", Name), new("d", "none")], ["c"], None));
        await AssertFaultAsync(FaultKind.NotFound, Reasons.AliasNotFound, () => store.UpdateAliasesAsync([new("a", Name)], ["b"], None));
        await AssertFaultAsync(
            FaultKind.AlreadyExists, Reasons.CollectionExists, () => store.UpdateAliasesAsync([new("d", Name), new("other", Name)], [], None));
        // An alias is no collection to point to.
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.UpdateAliasesAsync([new("d", "a")], [], None));
        Assert.Equal($"a=other c={Name}", await AliasesAsync());

        await AssertFaultAsync(
            FaultKind.AlreadyExists,
            Reasons.AliasExists,
            () => store.CreateCollectionAsync(new("a", 2, null), CollectionSettings.None, [], None));
        await AssertFaultAsync(
            FaultKind.AlreadyExists, Reasons.AliasExists, () => store.EnsureCollectionAsync(new("a", 2, null), None).AsTask());
        Assert.Equal([Name, "other"], (await store.ListCollectionsAsync(None)).Select(info => info.Name));

        await store.DropCollectionAsync("other", None);
        Assert.Equal($"c={Name}", await AliasesAsync());
        await store.UpdateAliasesAsync([], ["c"], None);
        Assert.Equal("", await AliasesAsync());
        await store.CreateCollectionAsync(new("a", 2, null), CollectionSettings.None, [], None);

        async Task<string> AliasesAsync() => string.Join(
            ' ',
            (await store.AliasesAsync(None))
                .OrderBy(alias => alias.Key, StringComparer.Ordinal)
                .Select(alias => $"{alias.Key}={alias.Value}"));
    }

    [Fact]
    public async Task Several_points_are_returned_in_the_order_of_their_ids()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(
            Name, [.. Enumerable.Range(0, 700).Select(i => Point($"p{i}", [1, i], $$"""{"i":{{i}}}"""))], None);
        string[] ids = ["p699", "none", "p0", .. Enumerable.Range(1, 600).Select(i => $"p{i}"), "p601'"];
        var points = await store.GetAsync(Name, ids, withPayload: true, withVectors: true, null, None);
        Assert.Equal(ids.Where(id => id != "none" && id != "p601'"), points.Select(point => point.Id));
        foreach (var point in points)
        {
            var i = int.Parse(point.Id[1..]);
            AssertSameVector([1, i], point.Vector.ToArray());
            Assert.Equal(i, (int)point.Payload.Attributes!["i"]!);
        }

        var bare = Assert.Single(await store.GetAsync(Name, ["p1"], withPayload: false, withVectors: false, null, None));
        Assert.Equal((0, PointPayload.Empty), (bare.Vector.Length, bare.Payload));
        Assert.Empty(await store.GetAsync(Name, ["none"], true, true, null, None));
        await AssertFaultAsync(
            FaultKind.NotFound, Reasons.CollectionNotFound, () => store.GetAsync("missing", ["p"], true, true, null, None));

        var budget = new ResponseBudget(4000, 1 << 20);
        using var lease = budget.Lease();
        await AssertFaultAsync(
            FaultKind.ResourceExhausted, Reasons.ResponseTooLarge, () => store.GetAsync(Name, ids, true, true, lease, None));
    }

    [Fact]
    public async Task Attributes_of_all_matching_points_change_once()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(
            Name,
            [
                .. Enumerable.Range(0, 2500).Select(i => new StoredPoint(
                    $"p{i}",
                    new float[] { 1, i },
                    new() { JobId = $"job{i % 2}", Attributes = new() { ["n"] = i, ["red"] = true } })),
            ],
            None);
        // The change makes a point leave the filter, which must not make the next ones be left out.
        var red = new PointFilter { JobId = "job1", Attributes = [new("red", Flag: true)] };
        var matched = await store.UpdateAttributesAsync(
            Name, red, point => new() { ["n"] = (int)point.Payload.Attributes!["n"]! + 1 }, None);
        Assert.Equal(1250, matched);
        Assert.Equal(0, await store.CountAsync(Name, red, None));
        Assert.Equal(1250, await store.CountAsync(Name, Where(new AttributeCondition("red", Flag: true)), None));
        var changed = (await store.GetAsync(Name, "p7", None))!;
        Assert.Equal("""{"n":8}""", changed.Payload.Attributes!.ToJsonString());
        Assert.Equal("job1", changed.Payload.JobId);
        AssertSameVector([1, 7], changed.Vector.ToArray());
        Assert.Equal(0, await store.UpdateAttributesAsync(Name, red, _ => [], None));

        // Without fields, attributes are absent or empty.
        Assert.Equal(1, await store.UpdateAttributesAsync(Name, ["p7"], _ => [], None));
        Assert.Equal(0, (await store.GetAsync(Name, "p7", None))!.Payload.Attributes?.Count ?? 0);
        await store.UpdateAttributesAsync(Name, ["p7"], _ => new JsonObject { ["k"] = "v" }, None);
        Assert.Equal("v", (string?)(await store.GetAsync(Name, "p7", None))!.Payload.Attributes!["k"]);
    }
}
