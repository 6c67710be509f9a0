using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>
/// Every condition of a filter, alone and in trees, over points that differ in the field of the condition; one test class per store derives
/// from it. Each filter is checked without indexes and with them.
/// </summary>
public abstract class FilterContract
{
    private const string Name = "filtered";
    private static readonly CancellationToken None = CancellationToken.None;

    private static readonly Dictionary<string, string> Attributes = new()
    {
        ["text"] = """{"tag":"red","n":1,"ok":true,"taken":"2026-05-01T12:00:00Z","camera":{"lens":"50 mm","iso":100}}""",
        ["upper"] = """{"tag":"Red","n":1.5,"ok":false,"taken":"2026-05-01T14:00:00.0009+02:00","camera":{"lens":"85 mm","iso":200}}""",
        ["longer"] = """{"tag":"red wine","n":-2,"taken":"2026-05-01T12:00:00.001Z","camera":{"lens":null}}""",
        ["number"] = """{"tag":1,"n":"1","ok":"true","taken":1777636800000,"camera":"lens"}""",
        ["list"] = """{"tag":["red"],"n":[1],"ok":[true],"taken":["2026-05-01T12:00:00Z"],"camera":[{"lens":"50 mm"}]}""",
        ["object"] = """{"tag":{"red":"red"},"n":{},"ok":{},"camera":{"lens":{"lens":"50 mm"}}}""",
        ["empty"] = """{"tag":"","n":0,"ok":null,"taken":"","camera":{"lens":"","":"x"}}""",
        ["dates"] = """{"taken":"2026-05-01","a.b":{"c.\"d\"":"x"},"a":{"b":{"c.\"d\"":"y"}}}""",
        ["space"] = """{"taken":"2026-05-01 12:00:00Z","camera":{"lens":[]}}""",
        ["local"] = """{"taken":"2026-05-01T12:00:00","camera":{"lens":[null]}}""",
        ["late"] = """{"taken":"9999-12-31T23:59:59.999999999Z","n":9007199254740993}""",
        ["wild"] = """{"tag":"r_d%","n":1e300,"camera":{"lens":"50\u00A0mm"}}""",
        ["mixed"] = """{"tag":"ré́d\uD83D\uDE00x","$json":"z","camera":{"$json":"{}"}}""",
        ["none"] = "",
    };

    private static readonly Dictionary<string, (PointFilter Filter, string Ids)> Filters = new()
    {
        ["text"] = (Has(new("tag", Text: "red")), "text"),
        ["text is exact"] = (Has(new("tag", Text: "Red")), "upper"),
        ["empty text"] = (Has(new("tag", Text: "")), "empty"),
        ["text in"] = (Has(new("tag") { TextIn = ["red", "red wine", "1", "nothing"] }), "text,longer"),
        ["number"] = (Has(new("n", Number: 1)), "text"),
        ["number in"] = (Has(new("n") { NumberIn = [1.5, 0, -0.0, 7] }), "upper,empty"),
        ["large number"] = (Has(new("n", Number: 9007199254740992)), "late"),
        ["range"] = (Has(new("n", Range: new(0, null, 1.5, null))), "text"),
        ["range with its bounds"] = (Has(new("n", Range: new(null, 0, null, 1.5))), "text,upper,empty"),
        ["flag"] = (Has(new("ok", Flag: true)), "text"),
        ["flag false"] = (Has(new("ok", Flag: false)), "upper"),
        ["exists"] = (Has(new("ok", Exists: true)), "text,upper,number,list,object"),
        ["does not exist"] = (Has(new("n", Exists: false)), "dates,space,local,mixed,none"),
        ["prefix"] = (Has(new("tag") { Prefix = "red" }), "text,longer"),
        ["prefix of one letter"] = (Has(new("tag") { Prefix = "r" }), "text,longer,wild,mixed"),
        ["prefix is the text"] = (Has(new("tag") { Prefix = "red wine" }), "longer"),
        ["prefix with wildcards"] = (Has(new("tag") { Prefix = "r_d%" }), "wild"),
        ["wildcards are letters"] = (Has(new("tag") { Prefix = "r%" }), ""),
        ["prefix by code points"] = (Has(new("tag") { Prefix = "ré" }), "mixed"),
        ["prefix of pairs"] = (Has(new("tag") { Prefix = "ré́d\uD83D\uDE00" }), "mixed"),
        ["prefix of nothing"] = (Has(new("tag") { Prefix = "rex" }), ""),
        ["time"] = (Has(new("taken") { Time = new(From: Noon, To: Noon) }), "text,upper"),
        ["time before"] = (Has(new("taken") { Time = new(Before: Noon) }), ""),
        ["time after"] = (Has(new("taken") { Time = new(After: Noon) }), "longer,late"),
        ["time between"] = (Has(new("taken") { Time = new(After: Noon - 1, Before: Noon + 2) }), "text,upper,longer"),
        ["time is contradictory"] = (Has(new("taken") { Time = new(From: Noon, Before: Noon) }), ""),
        ["time is the last"] = (Has(new("taken") { Time = new(From: 253_402_300_799_999) }), "late"),
        ["nested text"] = (Has(new(Path("camera", "lens"), Text: "50 mm")), "text"),
        ["nested number"] = (Has(new(Path("camera", "iso"), Range: new(100, null, null, null))), "upper"),
        ["nested prefix"] = (Has(new(Path("camera", "lens")) { Prefix = "50" }), "text,wild"),
        ["nested exists"] = (Has(new(Path("camera", "lens"), Exists: true)), "text,upper,object,empty,space,local,wild"),
        ["nested does not exist"] = (
            Has(new(Path("camera", "lens"), Exists: false)), "longer,number,list,dates,late,mixed,none"),
        ["quoted names"] = (Has(new(Path("a.b", "c.\"d\""), Text: "x")), "dates"),
        ["deeper names"] = (Has(new(Path("a", "b", "c.\"d\""), Exists: true)), "dates"),
        ["empty name"] = (Has(new(Path("camera", ""), Text: "x")), "empty"),
        ["reserved name"] = (Has(new("$json", Text: "z")), "mixed"),
        ["nested reserved name"] = (Has(new(Path("camera", "$json"), Text: "{}")), "mixed"),
        ["into a list"] = (Has(new(Path("camera", "0", "lens"), Exists: true)), ""),
        ["both"] = (Has(new("tag", Text: "red"), new("n", Number: 1)), "text"),
        ["two types"] = (Has(new("tag", Text: "red"), new("tag", Number: 1)), ""),
        ["point ids"] = (new() { PointIds = ["text", "wild", "no such point"] }, "text,wild"),
        ["point id prefix"] = (new() { PointIdPrefix = "l" }, "longer,list,local,late"),
        ["job"] = (new() { JobId = "job-1" }, "upper,list,dates,late,none"),
        ["jobs"] = (new() { JobIds = ["job-1", "job-2", ""] }, "upper,longer,list,object,dates,space,late,wild,none"),
        ["job prefix"] = (new() { JobIdPrefix = "job-" }, All),
        ["job prefix of one"] = (new() { JobIdPrefix = "job-2" }, "longer,object,space,wild"),
        ["media items"] = (new() { MediaStoreIds = ["", "m/b"] }, "text,upper,longer,number,list,object,dates,local,wild,none"),
        ["media prefix"] = (new() { MediaStoreIdPrefix = "m/" }, "upper,number,object,dates,local,wild,empty,space,late,mixed,none"),
        ["face"] = (new() { FaceIndex = 2 }, "longer"),
        ["no face"] = (Not(new() { FaceIndex = 2 }), All.Replace("longer,", "", StringComparison.Ordinal)),
        ["confidence"] = (new() { Confidence = new(null, 0.3, null, 0.5) }, "number,list,object"),
        ["not confidence"] = (Not(new() { Confidence = new(null, 0, null, null) }), "none"),
        ["stored at"] = (new() { StoredAt = new(From: Noon + 3, Before: Noon + 5) }, "number,list"),
        ["expires at"] = (new() { ExpiresAt = new(To: Noon + 100_000) }, "text"),
        ["not expires at"] = (Not(new() { ExpiresAt = new(To: Noon + 100_000) }), All.Replace("text,", "", StringComparison.Ordinal)),
        ["on hold"] = (new() { OnHold = true }, "upper"),
        ["not on hold"] = (Not(new() { OnHold = true }), All.Replace("upper,", "", StringComparison.Ordinal)),
        ["not"] = (Not(Has(new("tag", Text: "red"))), All.Replace("text,", "", StringComparison.Ordinal)),
        ["not not"] = (Not(Not(Has(new("tag", Text: "red")))), "text"),
        ["not prefix"] = (Not(Has(new("tag") { Prefix = "r" })), "upper,number,list,object,empty,dates,space,local,late,none"),
        ["not time"] = (Not(Has(new("taken") { Time = new(After: 0) })), "number,list,object,empty,dates,space,local,wild,mixed,none"),
        ["not exists"] = (Not(Has(new("n", Exists: true))), "dates,space,local,mixed,none"),
        ["not any of"] = (
            new() { NoneOf = [Has(new("n", Exists: true)), Has(new("taken", Exists: true))] }, "mixed,none"),
        ["any"] = (new() { AnyOf = [Has(new("tag", Text: "red")), Has(new("n", Number: 0)), new() { FaceIndex = 2 }] }, "text,longer,empty"),
        ["any of different types"] = (new() { AnyOf = [Has(new("tag", Text: "red")), Has(new("ok", Flag: false))] }, "text,upper"),
        ["any with a filter for all"] = (new() { AnyOf = [Has(new("tag", Text: "red")), new()] }, All),
        ["any and more"] = (
            new() { JobId = "job-0", AnyOf = [Has(new("tag", Text: "red")), Has(new("n", Number: 0))] }, "text,empty"),
        ["all"] = (new() { AllOf = [Has(new("tag", Text: "red")), Has(new("n", Number: 1)), new()] }, "text"),
        ["all of the same field"] = (
            new() { AllOf = [Has(new("n", Range: new(null, 0, null, null))), Has(new("n", Range: new(null, null, 1, null)))] }, "empty"),
        ["not all"] = (Not(new()), ""),
        ["any in not in any"] = (
            new()
            {
                AnyOf =
                [
                    Not(new() { AnyOf = [Has(new("tag", Exists: true)), Has(new("taken", Exists: true))] }),
                    new() { AllOf = [Not(Has(new("tag", Text: "Red"))), Has(new("n", Range: new(null, 1, null, 2)))] },
                ],
            },
            "text,none"),
    };

    private const long Noon = 1_777_636_800_000;

    private static string All => string.Join(',', Attributes.Keys);

    private protected abstract Task<IVectorStore> CreateAsync();

    [Fact]
    public async Task Every_condition_selects_the_right_points()
    {
        await using var store = await CreateAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        StoredPoint[] points = [.. Attributes.Keys.Select(Point)];
        await store.UpsertAsync(Name, points, None);
        await store.SetHoldAsync(Name, ["upper"], true, None);
        points = [.. points.Select(point => point with { Payload = point.Payload with { OnHold = point.Id == "upper" } })];
        var failures = new List<string>();
        await CheckAsync("without indexes");

        IndexedAttribute[] indexes =
        [
            new("tag", AttributeType.Text), new("n", AttributeType.Number), new("ok", AttributeType.Flag), new("taken", AttributeType.Time),
            new(Path("camera", "lens"), AttributeType.Text), new(Path("a.b", "c.\"d\""), AttributeType.Text),
            new("$json", AttributeType.Text),
        ];
        await store.SetIndexedAttributesAsync(Name, indexes, [], None);
        await CheckAsync("with indexes");
        // Written and changed with the indexes.
        await store.UpsertAsync(Name, [.. points.Where(point => point.Id != "upper").Reverse()], None);
        await CheckAsync("written again");
        Assert.True(failures.Count == 0, string.Join('\n', failures));

        async Task CheckAsync(string when)
        {
            foreach (var (name, (filter, ids)) in Filters)
            {
                string[] expected = [.. ids.Split(',', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
                string[] defined = [.. points.Where(filter.Matches).Select(point => point.Id).Order(StringComparer.Ordinal)];
                Expect($"{name}, by the definition", expected, defined);
                try
                {
                    Expect($"{name}, listed {when}", expected, await ListAsync(store, filter));
                    Expect($"{name}, searched {when}", expected, await SearchAsync(store, filter, withPayload: true));
                    Expect($"{name}, searched for ids {when}", expected, await SearchAsync(store, filter, withPayload: false));
                    Expect($"{name}, counted {when}", [$"{expected.Length}"], [$"{await store.CountAsync(Name, filter, None)}"]);
                }
                catch (Exception exception) when (exception is not OperationCanceledException)
                {
                    failures.Add($"{name}, {when}: {exception.Message}");
                }
            }
        }

        void Expect(string what, string[] expected, string[] found)
        {
            if (!expected.SequenceEqual(found))
            {
                failures.Add($"{what}: expected {string.Join(',', expected)}, found {string.Join(',', found)}");
            }
        }
    }

    [Fact]
    public async Task Indexed_attributes_are_listed_added_and_removed()
    {
        await using var store = await CreateAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Assert.Empty((await store.FindCollectionAsync(Name, None))!.IndexedAttributes);
        var (tag, lens, n) = (
            new IndexedAttribute("tag", AttributeType.Text),
            new IndexedAttribute(Path("camera", "lens"), AttributeType.Text),
            new IndexedAttribute("n", AttributeType.Number));
        await store.SetIndexedAttributesAsync(Name, [tag, lens, tag], [n], None);
        await store.SetIndexedAttributesAsync(Name, [n, tag], [], None);
        Assert.Equal([lens, n, tag], await ListedAsync());
        await store.UpsertAsync(Name, [Point("text")], None);
        await store.SetIndexedAttributesAsync(Name, [new("n", AttributeType.Text)], [n, lens], None);
        Assert.Equal([new("n", AttributeType.Text), tag], await ListedAsync());
        Assert.Equal(1, await store.CountAsync(Name, Has(new("n", Number: 1)), None));

        var many = Enumerable.Range(0, 15).Select(i => new IndexedAttribute($"k{i}", AttributeType.Flag)).ToList();
        var fault = await Assert.ThrowsAsync<Fault>(() => store.SetIndexedAttributesAsync(Name, many, [], None));
        Assert.Equal((FaultKind.InvalidArgument, "indexed_attributes"), (fault.Kind, fault.Field));
        Assert.Contains("at most 16", fault.Message, StringComparison.Ordinal);
        Assert.Contains("17", fault.Message, StringComparison.Ordinal);
        Assert.Equal(2, (await ListedAsync()).Count);
        await Assert.ThrowsAsync<Fault>(() => store.SetIndexedAttributesAsync("missing", [tag], [], None));

        await store.DropCollectionAsync(Name, None);
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        Assert.Empty(await ListedAsync());

        async Task<IReadOnlyList<IndexedAttribute>> ListedAsync() => (await store.FindCollectionAsync(Name, None))!.IndexedAttributes;
    }

    [Fact]
    public async Task Changed_attributes_are_found_by_their_new_values()
    {
        await using var store = await CreateAsync();
        await store.EnsureCollectionAsync(new(Name, 2, null), None);
        await store.SetIndexedAttributesAsync(
            Name,
            [new("tag", AttributeType.Text), new("n", AttributeType.Number), new("taken", AttributeType.Time), new(Path("o", "n"), AttributeType.Number)],
            [],
            None);
        StoredPoint[] points =
            [.. Enumerable.Range(0, 50).Select(i => Made($"p{i:D2}", $$$"""{"tag":"t{{{i % 5}}}","n":{{{i}}},"taken":"2026-05-01","o":{"n":{{{i}}}}}"""))];
        await store.UpsertAsync(Name, points, None);
        // Deletes in the middle, so that other points move.
        await store.DeleteAsync(Name, ["p03", "p10", "p49"], None);
        await store.UpdateAttributesAsync(Name, ["p08"], _ => new JsonObject { ["tag"] = "changed", ["taken"] = "2026-05-01T00:00:00Z" }, None);
        await store.UpdateAttributesAsync(Name, ["p13"], _ => new JsonObject(), None);
        await store.UpdateAttributesAsync(Name, ["p14"], point => new JsonObject { ["tag"] = "t4", ["o"] = new JsonObject { ["n"] = 1000 } }, None);
        await store.UpsertAsync(Name, [Made("p18", """{"tag":"replaced","n":-1}"""), Made("new", """{"tag":"t3","n":3}""")], None);

        Assert.Equal(["new", "p23", "p28", "p33", "p38", "p43", "p48"], await SearchAsync(store, Has(new("tag", Text: "t3")), false));
        Assert.Equal(["p08"], await SearchAsync(store, Has(new("tag") { Prefix = "chang" }), false));
        Assert.Equal(["p08"], await SearchAsync(store, Has(new("taken") { Time = new(From: 0) }), false));
        Assert.Equal(["p18"], await ListAsync(store, Has(new("n", Range: new(null, null, 0, null)))));
        Assert.Equal(["new"], await SearchAsync(store, Has(new("n", Number: 3)), false));
        Assert.Equal(45, await store.CountAsync(Name, Has(new("n", Exists: true)), None));
        Assert.Equal(["p12", "p15"], await SearchAsync(store, Has(new(Path("o", "n"), Range: new(11, null, 16, null))), false));
        Assert.Equal(["p14"], await SearchAsync(store, Has(new(Path("o", "n"), Number: 1000)), false));
        await store.UpdateAttributesAsync(Name, ["p08"], _ => new JsonObject { ["taken"] = "2026-05-01" }, None);
        Assert.Empty(await SearchAsync(store, Has(new("taken") { Time = new(From: 0) }), false));
        Assert.Equal(7, await store.DeleteAsync(Name, Has(new("tag", Text: "t3")), None));
        Assert.Equal(41, await store.CountAsync(Name, PointFilter.All, None));
    }

    private protected static PointFilter Has(AttributeCondition condition) => new() { Attributes = [condition] };

    private protected static PointFilter Has(AttributeCondition one, AttributeCondition other) => new() { Attributes = [one, other] };

    private protected static AttributePath Path(params string[] names) => new(names);

    private static PointFilter Not(PointFilter filter) => new() { NoneOf = [filter] };

    private static StoredPoint Point(string id)
    {
        var i = Attributes.Keys.ToList().IndexOf(id);
        var point = Made(id, Attributes[id]);
        return point with
        {
            Payload = point.Payload with
            {
                JobId = $"job-{i % 3}",
                MediaStoreId = i % 2 == 0 && i < 5 ? "" : i % 2 == 0 ? "m/a" : "m/b",
                FaceIndex = i < 4 ? i : null,
                Confidence = id == "none" ? null : i / 10f,
                StoredAt = DateTimeOffset.FromUnixTimeMilliseconds(Noon + i),
                ExpiresAt = i < 2 ? DateTimeOffset.FromUnixTimeMilliseconds(Noon + 100_000 + i) : null,
            },
        };
    }

    private static StoredPoint Made(string id, string json) => new(id, new float[] { 1, id.Length }, new()
    {
        Attributes = json.Length == 0 ? null : JsonNode.Parse(json)!.AsObject(),
    });

    private static async Task<string[]> ListAsync(IVectorStore store, PointFilter filter)
    {
        var page = await store.ListAsync(Name, filter, 1000, "", withVectors: false, None);
        return [.. page.Points.Select(point => point.Id).Order(StringComparer.Ordinal)];
    }

    private static async Task<string[]> SearchAsync(IVectorStore store, PointFilter filter, bool withPayload)
    {
        var spec = new SearchSpec { Filter = filter, Limit = 1000, WithPayload = withPayload, Exact = true };
        var found = await store.SearchAsync(Name, [new(new float[] { 1, 2 })], spec, None);
        return [.. found[0].Select(hit => hit.Point.Id).Order(StringComparer.Ordinal)];
    }
}
