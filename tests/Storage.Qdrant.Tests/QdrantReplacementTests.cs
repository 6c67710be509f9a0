using Embeddings.Primitives;
using Embeddings.QdrantDouble.Troubles;
using Grpc.Core;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Replacement of the faces of a job, which Qdrant does in two steps.</summary>
public sealed class QdrantReplacementTests : QdrantTestBase
{
    private const string Delete = "Points/Delete";

    [Fact]
    public async Task A_face_that_is_written_while_its_earlier_version_is_removed_is_kept()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Face(0), Face(1), Face(2)], None);
        Troubles.Add(new(TroubleKind.Late) { Method = Delete, Delay = TimeSpan.FromMilliseconds(300) });

        var replacing = store.ReplaceFacesAsync(Name, "j", [Face(0)], None);
        await UntilAsync(() => Task.FromResult(Troubles.Calls(Delete) > 0));
        await Task.WhenAll(
            store.UpsertAsync(Name, [Face(1, 5)], None),
            store.ReplaceFacesAsync(Name, "j", [Face(0), Face(1, 5), Face(3)], None)).WaitAsync(Limit);

        Assert.Equal(2, await replacing.WaitAsync(Limit));
        Assert.Equal(["j-0", "j-1", "j-3"], await IdsAsync(store));
    }

    [Fact]
    public async Task A_failed_removal_leaves_the_earlier_faces_and_the_next_call_removes_them()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Face(0), Face(1)], None);
        Troubles.Add(new(TroubleKind.Fail) { Method = Delete, Status = StatusCode.PermissionDenied, Times = 1 });

        await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.ReplaceFacesAsync(Name, "j", [Face(2)], None));
        Assert.Equal(["j-0", "j-1", "j-2"], await IdsAsync(store));

        Assert.Equal(2, await store.ReplaceFacesAsync(Name, "j", [Face(2)], None).WaitAsync(Limit));
        Assert.Equal(["j-2"], await IdsAsync(store));
    }

    [Fact]
    public async Task Nothing_is_removed_if_the_faces_cannot_be_written()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [Face(0), Face(1)], None);
        Troubles.Refuse(request => request is global::Qdrant.Client.Grpc.UpsertPoints);

        await FaultAsync(FaultKind.InvalidArgument, Reasons.FieldInvalid, () => store.ReplaceFacesAsync(Name, "j", [Face(2)], None));

        Troubles.Clear();
        Assert.Equal(["j-0", "j-1"], await IdsAsync(store));
        Assert.Equal(0, Troubles.Calls(Delete));
    }

    [Fact]
    public async Task A_photo_without_earlier_faces_is_not_followed_by_a_removal()
    {
        await using var store = await FilledStoreAsync();
        Assert.Equal(0, await store.ReplaceFacesAsync(Name, "j", [Face(0), Face(1)], None));
        Assert.Equal(0, Troubles.Calls(Delete));
    }

    [Fact]
    public async Task Equal_changes_of_attributes_are_written_together_and_only_their_fields()
    {
        await using var store = await FilledStoreAsync();
        await store.UpsertAsync(Name, [.. Enumerable.Range(0, 40).Select(i => Face(i))], None);
        var operations = 0;
        Troubles.Observer = (_, request) =>
            operations += request is global::Qdrant.Client.Grpc.UpdateBatchPoints batch ? batch.Operations.Count : 0;

        string[] ids = [.. Enumerable.Range(0, 40).Select(i => $"j-{i}")];
        Assert.Equal(40, await store.UpdateAttributesAsync(Name, ids, _ => new() { ["person"] = "Anna" }, None));
        Assert.Equal(1, operations);
        Assert.Equal(40, await store.CountAsync(Name, new() { Attributes = [new("person", Text: "Anna")] }, None));
    }

    private static StoredPoint Face(int index, float y = 0) =>
        new($"j-{index}", new[] { 1f, y }, new() { JobId = "j", FaceIndex = index });

    private static async Task<List<string>> IdsAsync(IVectorStore store)
    {
        var page = await store.ListAsync(Name, PointFilter.All, 1000, "", withVectors: false, None);
        return [.. page.Points.Select(point => point.Id).Order(StringComparer.Ordinal)];
    }
}
