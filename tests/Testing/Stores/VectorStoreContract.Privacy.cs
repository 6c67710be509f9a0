using Embeddings.Primitives;
using Embeddings.Storage;

namespace Embeddings.Testing.Stores;

/// <summary>Legal holds, times of storing and expiry, and the ids of deleted points.</summary>
public abstract partial class VectorStoreContract
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_123);

    /// <summary>False if the store refuses legal holds.</summary>
    private protected virtual bool SupportsHolds => true;

    [Fact]
    public async Task Times_and_holds_are_kept_with_the_point()
    {
        await using var store = await StartedAsync(2);
        await store.UpsertAsync(Name, [Point("a", [1, 0])], None);
        var given = (await store.GetAsync(Name, "a", None))!.Payload;
        // The store's clock is that of the machine.
        Assert.InRange(given.StoredAt!.Value, TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddMinutes(5));
        Assert.Null(given.ExpiresAt);
        Assert.False(given.OnHold);

        if (!SupportsHolds)
        {
            await AssertFaultAsync(FaultKind.FailedPrecondition, Reasons.HoldUnsupported, () => store.SetHoldAsync(Name, ["a"], true, None));
            return;
        }

        // As a copy from another store writes it.
        var payload = new PointPayload { StoredAt = Now, ExpiresAt = Now.AddDays(1), OnHold = true };
        await store.UpsertAsync(Name, [new("b", new float[] { 0, 1 }, payload)], None);
        await store.SetHoldAsync(Name, ["b"], true, None);
        var copied = (await store.GetAsync(Name, "b", None))!.Payload;
        Assert.Equal((Now, Now.AddDays(1), true), (copied.StoredAt!.Value, copied.ExpiresAt!.Value, copied.OnHold));
        var listed = (await store.ListAsync(Name, new PointFilter { OnHold = true }, 10, "", false, None)).Points;
        Assert.Equal("b", Assert.Single(listed).Id);
        Assert.Equal(1, await store.CountAsync(Name, new PointFilter { OnHold = false }, None));
        Assert.Equal("a", Assert.Single(await SearchAsync(store, [0, 1], new() { Filter = new() { OnHold = false } })).Point.Id);
        await store.UpdateAttributesAsync(Name, ["b"], _ => new() { ["k"] = 1 }, None);
        copied = (await store.GetAsync(Name, "b", None))!.Payload;
        Assert.Equal((Now, Now.AddDays(1), true), (copied.StoredAt!.Value, copied.ExpiresAt!.Value, copied.OnHold));
    }

    [Fact]
    public async Task A_point_on_hold_is_neither_deleted_nor_replaced()
    {
        if (!SupportsHolds)
        {
            return;
        }

        await using var store = await StartedAsync(2);
        StoredPoint Face(string job, int i) => new($"{job}-{i}", new float[] { 1, i }, new() { JobId = job, FaceIndex = i });
        await store.UpsertAsync(Name, [Face("j", 0), Face("j", 1), Face("j", 2), Face("k", 0)], None);
        Assert.Equal(1, await store.SetHoldAsync(Name, ["j-1", "unknown"], true, None));
        Assert.Equal(0, await store.SetHoldAsync(Name, ["j-1"], true, None));

        await AssertFaultAsync(FaultKind.FailedPrecondition, Reasons.PointOnHold, () => store.UpsertAsync(Name, [Face("j", 1)], None));
        await AssertFaultAsync(FaultKind.FailedPrecondition, Reasons.PointOnHold, () => store.ReplaceFacesAsync(Name, "j", [Face("j", 0)], None));
        await AssertFaultAsync(
            FaultKind.FailedPrecondition, Reasons.PointOnHold, () => store.ReplaceFacesAsync(Name, "j", [Face("j", 0), Face("j", 1)], None));
        Assert.Equal(4, await store.CountAsync(Name, PointFilter.All, None));
        // Others are not affected.
        await store.UpsertAsync(Name, [Face("j", 0), Face("k", 1)], None);
        Assert.Equal(new DeleteCounts(1, 1), await store.DeleteAsync(Name, ["j-0", "j-1", "j-1", "unknown"], null, None));
        Assert.Equal(new DeleteCounts(1, 1), await store.DeleteAsync(Name, new PointFilter { JobId = "j" }, null, None));
        Assert.Equal(new DeleteCounts(0, 1), await store.DeleteAsync(Name, new PointFilter { OnHold = true }, null, None));
        Assert.Equal(0, await store.DeleteExpiredAsync(Name, Now.AddYears(100), null, 10, None));
        Assert.Equal(new DeleteCounts(2, 1), await store.DropCollectionAsync(Name, null, None));
        Assert.Equal("j-1", Assert.Single((await store.ListAsync(Name, PointFilter.All, 10, "", false, None)).Points).Id);

        Assert.Equal(1, await store.SetHoldAsync(Name, new PointFilter { JobId = "j" }, false, None));
        Assert.Equal(0, await store.SetHoldAsync(Name, new PointFilter { JobId = "j" }, false, None));
        Assert.Equal(new DeleteCounts(1, 0), await store.DropCollectionAsync(Name, null, None));
        Assert.Null(await store.FindCollectionAsync(Name, None));
    }

    [Fact]
    public async Task A_hold_of_all_points_of_a_job_is_set_and_ended()
    {
        if (!SupportsHolds)
        {
            return;
        }

        await using var store = await StartedAsync(1);
        await store.UpsertAsync(
            Name, [.. Enumerable.Range(0, 30).Select(i => new StoredPoint($"p{i}", new float[] { 1 }, new() { JobId = $"j{i % 3}" }))], None);
        Assert.Equal(10, await store.SetHoldAsync(Name, new PointFilter { JobId = "j1" }, true, None));
        Assert.Equal(new DeleteCounts(0, 10), await store.DeleteAsync(Name, new PointFilter { JobId = "j1" }, null, None));
        Assert.Equal(10, await store.SetHoldAsync(Name, PointFilter.All, false, None));
        Assert.Equal(new DeleteCounts(10, 0), await store.DeleteAsync(Name, new PointFilter { JobId = "j1" }, null, None));
        await AssertFaultAsync(FaultKind.NotFound, Reasons.CollectionNotFound, () => store.SetHoldAsync("missing", ["p"], true, None));
    }

    [Fact]
    public async Task Expired_points_are_deleted_in_bounded_numbers()
    {
        await using var store = await StartedAsync(1);
        await store.UpsertAsync(
            Name,
            [
                .. Enumerable.Range(0, 25).Select(i => new StoredPoint(
                    $"e{i:D2}", new float[] { 1 }, new() { StoredAt = Now, ExpiresAt = Now.AddSeconds(i) })),
                .. Enumerable.Range(0, 5).Select(i => new StoredPoint(
                    $"s{i}", new float[] { 1 }, new() { StoredAt = Now.AddDays(-i) })),
            ],
            None);
        if (SupportsHolds)
        {
            await store.SetHoldAsync(Name, ["e03", "s4"], true, None);
        }

        var held = SupportsHolds ? 1 : 0;
        Assert.Equal(0, await store.DeleteExpiredAsync(Name, Now.AddSeconds(-1), null, 100, None));
        Assert.Equal(10 - held, await AllAsync(Now.AddSeconds(9), null, 4));
        Assert.Equal(
            [.. SupportsHolds ? ["e03"] : Array.Empty<string>(), .. Enumerable.Range(10, 15).Select(i => $"e{i}"), "s0", "s1", "s2", "s3", "s4"],
            (await store.ListAsync(Name, PointFilter.All, 100, "", false, None)).Points.Select(point => point.Id).Order(StringComparer.Ordinal));
        Assert.Equal(3 - held, await AllAsync(Now.AddSeconds(9), Now.AddDays(-2), 100));
        Assert.Equal(17, await AllAsync(Now.AddSeconds(9), Now, 7));
        Assert.Equal(
            SupportsHolds ? ["e03", "s4"] : [],
            (await store.ListAsync(Name, PointFilter.All, 100, "", false, None)).Points.Select(point => point.Id).Order(StringComparer.Ordinal));

        async Task<long> AllAsync(DateTimeOffset now, DateTimeOffset? storedBefore, int limit)
        {
            var total = 0L;
            while (await store.DeleteExpiredAsync(Name, now, storedBefore, limit, None) is > 0 and var some)
            {
                total += some;
            }

            return total;
        }
    }

    [Fact]
    public async Task Deletions_report_the_ids_of_the_points_removed()
    {
        await using var store = await StartedAsync(1);
        await store.UpsertAsync(
            Name,
            [.. Enumerable.Range(0, 2500).Select(i => new StoredPoint($"p{i:D4}", new float[] { 1 }, new() { JobId = $"j{i % 2}" }))],
            None);
        var ids = new Ids();
        Assert.Equal(2, (await store.DeleteAsync(Name, ["p0001", "unknown", "p0003", "p0001"], ids, None)).Deleted);
        Assert.Equal(["p0001", "p0003"], ids.Sorted);
        Assert.Equal(1248, (await store.DeleteAsync(Name, new PointFilter { JobId = "j1" }, ids, None)).Deleted);
        Assert.Equal(Enumerable.Range(2, 1248).Select(i => $"p{(2 * i) + 1:D4}"), ids.Sorted);
        var keys = new List<PointKey>();
        var token = "";
        do
        {
            var page = await store.ListKeysAsync(Name, PointFilter.All, token, None);
            keys.AddRange(page.Keys);
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        Assert.Equal(Enumerable.Range(0, 1250).Select(i => new PointKey($"p{2 * i:D4}", "j0")), keys.OrderBy(key => key.Id, StringComparer.Ordinal));
        Assert.Equal(1250, (await store.DropCollectionAsync(Name, ids, None)).Deleted);
        Assert.Equal(keys.Select(key => key.Id).Order(StringComparer.Ordinal), ids.Sorted);
    }

    private sealed class Ids : IDeletedIds
    {
        private readonly List<string> _ids = [];

        public IEnumerable<string> Sorted => _ids.Order(StringComparer.Ordinal);

        public void Begin() => _ids.Clear();

        public void Add(string id) => _ids.Add(id);
    }
}
