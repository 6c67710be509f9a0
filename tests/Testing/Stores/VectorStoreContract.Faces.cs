using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>Fields that exist, replacement of the faces of a job, and changes of attributes.</summary>
public abstract partial class VectorStoreContract
{
    [Fact]
    public async Task A_field_exists_if_it_is_present_and_not_null()
    {
        await using var store = await StartedAsync(2);
        string[] values = ["1", "\"\"", "false", "null", "[]", "[null]", "[null,1]", "{}", "{\"k\":null}", "[[]]"];
        await store.UpsertAsync(
            Name,
            [.. values.Select((value, i) => Point($"{i}", [1, 0], $$"""{"k":{{value}},"n":1,"a.\"b":{{value}}}""")),
                Point("absent", [1, 0], """{"K":1,"x":{"k":1}}"""), Point("none", [1, 0])],
            None);

        foreach (var key in (string[])["k", "a.\"b"])
        {
            Assert.Equal("0,1,2,4,5,6,7,8,9", await IdsAsync(new AttributeCondition(key, Exists: true)));
            Assert.Equal("3,absent,none", await IdsAsync(new AttributeCondition(key, Exists: false)));
        }
        var exists = new AttributeCondition("k", Exists: true);
        var isAbsent = new AttributeCondition("k", Exists: false);
        Assert.Equal("0,1,2,4,5,6,7,8,9", await IdsAsync(exists, new("n", Number: 1)));
        Assert.Equal("0", await IdsAsync(exists, new("k", Number: 1)));
        Assert.Equal("1", await IdsAsync(new("k", Text: ""), exists));
        Assert.Equal("", await IdsAsync(isAbsent, new("k", Number: 1)));
        Assert.Equal("", await IdsAsync(isAbsent, exists));
        Assert.Equal("3", await IdsAsync(isAbsent, new("n", Exists: true)));
        Assert.Equal(3, (await SearchAsync(store, [1, 0], new() { Filter = Where(isAbsent), Limit = 100 })).Count);
        Assert.Equal("[]", (await store.GetAsync(Name, "4", None))!.Payload.Attributes!["k"]!.ToJsonString());
        Assert.Equal("[null]", (await store.GetAsync(Name, "5", None))!.Payload.Attributes!["k"]!.ToJsonString());
        Assert.Equal(3, await store.DeleteAsync(Name, Where(new AttributeCondition("k", Exists: false)), None));

        async Task<string> IdsAsync(params AttributeCondition[] conditions)
        {
            var page = await store.ListAsync(Name, Where(conditions), 100, "", false, None);
            Assert.Equal(page.Points.Count, await store.CountAsync(Name, Where(conditions), None));
            return string.Join(',', page.Points.Select(point => point.Id).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task Replacing_the_faces_of_a_job_removes_those_that_are_gone()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(
            Name,
            [Face("j", 0), Face("j", 1), Face("j", 2), Face("other", 0), Image("j"), Face("j", 7) with { Id = "by hand" }, Face("", 0)],
            None);

        Assert.Equal(3, await store.ReplaceFacesAsync(Name, "j", [Face("j", 0, 5), Face("j", 3)], None));

        Assert.Equal(["j", "j-0", "j-3", "no job", "other-0"], await IdsAsync(store));
        AssertSameVector([1, 5], (await store.GetAsync(Name, "j-0", None))!.Vector.ToArray());
        Assert.Equal(5, (await SearchAsync(store, [1, 0], new() { Limit = 10 })).Count);
        // Sent again, and without faces.
        Assert.Equal(0, await store.ReplaceFacesAsync(Name, "j", [Face("j", 0, 5), Face("j", 3)], None));
        Assert.Equal(2, await store.ReplaceFacesAsync(Name, "j", [], None));
        Assert.Equal(["j", "no job", "other-0"], await IdsAsync(store));
        Assert.Equal(0, await store.ReplaceFacesAsync(Name, "j", [], None));
        Assert.Equal(1, await store.ReplaceFacesAsync(Name, "other", [Face("other", 1)], None));
        Assert.Equal(["j", "no job", "other-1"], await IdsAsync(store));
    }

    [Fact]
    public async Task A_replacement_that_is_refused_changes_nothing()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [Face("j", 0), Face("j", 1)], None);
        StoredPoint[] wrong = [Face("j", 0, 5), new("j-5", new float[] { 1, 2, 3 }, new() { JobId = "j", FaceIndex = 5 })];

        await AssertFaultAsync(
            FaultKind.InvalidArgument, Reasons.DimensionMismatch, () => store.ReplaceFacesAsync(Name, "j", wrong, None));
        await AssertFaultAsync(
            FaultKind.NotFound, Reasons.CollectionNotFound, () => store.ReplaceFacesAsync("missing", "j", [], None));

        Assert.Equal(["j-0", "j-1"], await IdsAsync(store));
        AssertSameVector([1, 0], (await store.GetAsync(Name, "j-0", None))!.Vector.ToArray());
    }

    [Fact]
    public async Task Replacements_of_one_job_take_effect_in_order_and_remove_no_later_point()
    {
        await using var store = await StartedAsync(2);
        for (var round = 0; round < 20; round++)
        {
            var writes = new List<Task>
            {
                store.ReplaceFacesAsync(Name, "j", [Face("j", 0, 1)], None),
                store.ReplaceFacesAsync(Name, "j", [Face("j", 0, 2), Face("j", 1), Face("j", 2)], None),
                store.ReplaceFacesAsync(Name, "j", [Face("j", 0, 3), Face("j", 1, round)], None),
                // Not a face of the replacement before it, which must not remove it.
                store.UpsertAsync(Name, [Face("j", 9, round)], None),
                store.ReplaceFacesAsync(Name, "k", [Face("k", 0, round)], None),
            };
            await Task.WhenAll(writes);

            Assert.Equal(["j-0", "j-1", "j-9", "k-0"], await IdsAsync(store));
            AssertSameVector([1, 3], (await store.GetAsync(Name, "j-0", None))!.Vector.ToArray());
            AssertSameVector([1, round], (await store.GetAsync(Name, "j-1", None))!.Vector.ToArray());
            AssertSameVector([1, round], (await store.GetAsync(Name, "j-9", None))!.Vector.ToArray());
        }
    }

    [Fact]
    public async Task No_acked_face_is_lost_while_jobs_are_replaced_in_parallel()
    {
        await using var store = await StartedAsync(2);
        var last = await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            var random = new Random(writer);
            string[] kept = [];
            for (var i = 0; i < 30; i++)
            {
                var faces = Enumerable.Range(0, random.Next(4)).Select(face => Face($"j{writer}", face, i)).ToArray();
                await store.ReplaceFacesAsync(Name, $"j{writer}", faces, None);
                kept = [.. faces.Select(face => face.Id)];
                // A job that all writers share: one of their versions wins as a whole set of ids.
                await store.ReplaceFacesAsync(Name, "shared", [.. Enumerable.Range(0, 1 + random.Next(3)).Select(face => Face("shared", face, i))], None);
            }
            return kept;
        })));

        var ids = await IdsAsync(store);
        Assert.Equal(last.SelectMany(kept => kept).Order(StringComparer.Ordinal), ids.Where(id => !id.StartsWith("shared", StringComparison.Ordinal)));
        Assert.Contains("shared-0", ids);
    }

    [Fact]
    public async Task Attributes_change_and_everything_else_stays()
    {
        await using var store = await StartedAsync(2);
        var full = new StoredPoint("full", new[] { 3f, -4 }, new PointPayload
        {
            JobId = "job",
            MediaStoreId = "media",
            FaceIndex = 7,
            Bbox = new BoundingBox(0.1f, 2, 3.5f, 4),
            Confidence = 0.9f,
            Landmarks = [1.1f, 2, 3, 4, 5, 6, 7, 8, 9, 10.25f],
            Attributes = JsonNode.Parse("""{"a":"x","b":[1,2,{"c":null}],"d":1.5,"gone":true,"a.\"b":1,"gone too.\"":[]}""")!.AsObject(),
        });
        await store.UpsertAsync(Name, [full, Point("none", [1, 0]), Point("same", [1, 0], """{"a":1}"""), Point("other", [1, 0])], None);

        var changed = await store.UpdateAttributesAsync(Name, ["full", "none", "same"], Change, None);

        Assert.Equal(2, changed);
        var found = await store.GetAsync(Name, "full", None);
        AssertSameVector(full.Vector.ToArray(), found!.Vector.ToArray());
        Assert.Equal(full.Payload with { Attributes = null, Landmarks = null }, found.Payload with { Attributes = null, Landmarks = null, StoredAt = null });
        Assert.Equal(full.Payload.Landmarks, found.Payload.Landmarks);
        AssertJson("""{"a":"x","b":[1,2,{"c":null}],"d":1.5,"a.\"b":[2],"person":"Ä \"\\ 人","empty":[]}""", found.Payload.Attributes);
        AssertJson("""{"a.\"b":[2],"person":"Ä \"\\ 人","empty":[]}""", (await store.GetAsync(Name, "none", None))!.Payload.Attributes);
        AssertJson("""{"a":1}""", (await store.GetAsync(Name, "same", None))!.Payload.Attributes);
        Assert.Null((await store.GetAsync(Name, "other", None))!.Payload.Attributes);
        Assert.Equal(2, await store.CountAsync(Name, Where(new AttributeCondition("person", Text: "Ä \"\\ 人")), None));
        Assert.Equal(4, (await SearchAsync(store, [3, -4], new() { Limit = 10 })).Count);

        // The fields that were set are removed again.
        Assert.Equal(2, await store.UpdateAttributesAsync(Name, ["none", "full"], _ => [], None));
        Assert.Empty((await store.GetAsync(Name, "none", None))!.Payload.Attributes ?? []);
        Assert.Empty((await store.GetAsync(Name, "full", None))!.Payload.Attributes ?? []);
        Assert.Equal(0, await store.UpdateAttributesAsync(Name, [], _ => throw new InvalidOperationException(), None));

        static JsonObject? Change(StoredPoint point)
        {
            Assert.True(point.Vector.IsEmpty);
            if (point.Id == "same")
            {
                return null;
            }
            var attributes = (JsonObject?)point.Payload.Attributes?.DeepClone() ?? [];
            attributes.Remove("gone");
            attributes.Remove("gone too.\"");
            attributes["a.\"b"] = new JsonArray(2);
            attributes["person"] = "Ä \"\\ 人";
            attributes["empty"] = new JsonArray();
            return attributes;
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(700)]
    public async Task Attributes_of_no_point_change_if_one_does_not_exist_or_is_refused(int points)
    {
        await using var store = await StartedAsync(2);
        string[] ids = [.. Enumerable.Range(0, points).Select(i => $"p{i:D3}")];
        await store.UpsertAsync(Name, [.. ids.Select(id => Point(id, [1, 0], """{"n":1}"""))], None);

        var missing = await Assert.ThrowsAsync<Fault>(
            () => store.UpdateAttributesAsync(Name, [.. ids, "missing"], _ => new() { ["n"] = 2 }, None));
        Assert.Equal((FaultKind.NotFound, Reasons.PointNotFound), (missing.Kind, missing.Reason));
        Assert.Contains("'missing'", missing.Message, StringComparison.Ordinal);
        await AssertFaultAsync(
            FaultKind.FailedPrecondition,
            Reasons.CollectionRestricted,
            () => store.UpdateAttributesAsync(
                Name,
                ids,
                point => point.Id == ids[^1]
                    ? throw new Fault(FaultKind.FailedPrecondition, Reasons.CollectionRestricted, "refused")
                    : new() { ["n"] = 2 },
                None));
        await AssertFaultAsync(
            FaultKind.NotFound, Reasons.CollectionNotFound, () => store.UpdateAttributesAsync("missing", ids, _ => [], None));

        Assert.Equal(points, await store.CountAsync(Name, Where(new AttributeCondition("n", Number: 1)), None));
        Assert.Equal(points, await store.UpdateAttributesAsync(Name, ids, _ => new() { ["n"] = 2 }, None));
        Assert.Equal(points, await store.CountAsync(Name, Where(new AttributeCondition("n", Number: 2)), None));
    }

    private static void AssertJson(string expected, JsonObject? found) =>
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), found), $"{expected} expected, {found?.ToJsonString()} found");

    private static StoredPoint Face(string job, int index, float y = 0) =>
        new(job.Length == 0 ? "no job" : $"{job}-{index}", new[] { 1f, y }, new() { JobId = job, FaceIndex = index });

    private static StoredPoint Image(string job) => new(job, new[] { 1f, 1 }, new() { JobId = job });

    private static async Task<List<string>> IdsAsync(IVectorStore store)
    {
        var page = await store.ListAsync(Name, PointFilter.All, 1000, "", withVectors: false, None);
        return [.. page.Points.Select(point => point.Id).Order(StringComparer.Ordinal)];
    }
}
