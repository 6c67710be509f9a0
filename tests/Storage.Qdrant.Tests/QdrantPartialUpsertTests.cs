using Embeddings.Primitives;
using Embeddings.QdrantDouble;
using Embeddings.QdrantDouble.Troubles;
using Embeddings.Testing.Stores;
using Grpc.Core;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>
/// An upsert of more points than Qdrant gets at once is stored completely, or its fault has the indexes of exactly those points
/// that are not stored.
/// </summary>
public sealed class QdrantPartialUpsertTests : QdrantTestBase
{
    private const int Points = 2000;
    private static readonly string[] Ids = [.. Enumerable.Range(0, Points).Select(i => $"p{i:D4}")];

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Points_of_upserts_that_fail_and_of_those_that_were_not_sent_are_named(int inFlight)
    {
        await using var store = await SmallStoreAsync(inFlight);
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Every = 5 });
        var fault = await FaultAsync(FaultKind.Unavailable, Reasons.StoreUnavailable, () => store.UpsertAsync(Name, All(), None));
        Assert.NotNull(fault.RetryAfter);
        var missing = await AssertExactAsync(store, fault);
        Assert.InRange(missing, 100, Points - 100);
        Assert.StartsWith($"{missing} of {Points} points are not stored", fault.Message);
        // The rest is not sent.
        Assert.InRange(Troubles.Calls(Upsert), 5, (Points / 100) - 1);
    }

    [Fact]
    public async Task The_missing_points_can_be_sent_again()
    {
        await using var store = await SmallStoreAsync(2);
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Every = 4, Times = 3 });
        List<StoredPoint> rest = [.. All()];
        var sent = 0;
        while (rest.Count > 0)
        {
            Assert.InRange(++sent, 1, 4);
            try
            {
                await store.UpsertAsync(Name, rest, None).WaitAsync(Limit);
                break;
            }
            catch (Fault fault)
            {
                var missing = IndexRanges.Parse(fault.Metadata[FaultKeys.NotStored], rest.Count)!;
                rest = [.. rest.Where((_, i) => missing[i])];
            }
        }
        // With two upserts in flight, two of the three failures can fall into one call.
        Assert.InRange(sent, 2, 4);
        Assert.Equal(Points, await store.CountAsync(Name, PointFilter.All, None));
    }

    [Fact]
    public async Task Points_that_Qdrant_refuses_are_named_one_by_one_and_their_neighbors_are_stored()
    {
        await using var store = await SmallStoreAsync(1, options => options with { MaxUpsertPoints = 2000, MaxUpsertBytes = 64 << 20 });
        // Too many to be named as ranges.
        var random = new Random(3);
        var bad = Ids.Where(_ => random.Next(3) == 0).ToHashSet();
        Troubles.Refuse(request => request is UpsertPoints upsert && upsert.Points.Any(point => bad.Contains(point.Payload["point_id"].StringValue)));
        var fault = await FaultAsync(FaultKind.InvalidArgument, Reasons.FieldInvalid, () => store.UpsertAsync(Name, All(), None));
        Assert.Equal(bad.Count, await AssertExactAsync(store, fault));
        Assert.StartsWith("bitmap:", fault.Metadata[FaultKeys.NotStored]);
    }

    [Fact]
    public async Task If_Qdrant_has_lost_a_node_all_points_that_are_not_named_are_stored()
    {
        await ReplaceServerAsync(new DoubleOptions { Nodes = 7 });
        await using var store = await SmallStoreAsync(3);
        Troubles.LoseNode(2);
        var fault = await Assert.ThrowsAsync<Fault>(() => store.UpsertAsync(Name, All()[..150], None).WaitAsync(Limit));
        Troubles.Clear();
        var named = IndexRanges.Parse(fault.Metadata[FaultKeys.NotStored], 150)!;
        var stored = await StoredAsync(store);
        Assert.All(Ids[..150].Where((_, i) => !named[i]), id => Assert.Contains(id, stored));
    }

    [Fact]
    public async Task Other_callers_are_not_affected_and_the_last_of_equal_ids_is_stored()
    {
        await using var store = await SmallStoreAsync(1);
        Troubles.Refuse(request => request is UpsertPoints upsert && upsert.Points.Any(point => point.Payload["point_id"].StringValue == "p0050"));
        // p0000 twice: the later version is in an upsert that is never sent, or both are one.
        var twice = store.UpsertAsync(Name, [.. All(), Point("p0000", 0, 1)], None);
        var other = store.UpsertAsync(Name, [Point("other"), Point("p0050x")], None);
        await other.WaitAsync(Limit);
        var fault = await Assert.ThrowsAsync<Fault>(() => twice.WaitAsync(Limit));
        var named = IndexRanges.Parse(fault.Metadata[FaultKeys.NotStored], Points + 1)!;
        Assert.Equal(named[0], named[^1]);
        var first = await store.GetAsync(Name, "p0000", None);
        Assert.Equal(!named[^1], first is not null);
        Assert.Equal([0, 1], first?.Vector.ToArray() ?? [0, 1]);
        Assert.NotNull(await store.GetAsync(Name, "other", None));
    }

    [Fact]
    public async Task A_fault_of_one_point_or_of_a_replacement_of_faces_names_no_indexes()
    {
        await using var store = await SmallStoreAsync(1);
        Troubles.Add(new(TroubleKind.Fail) { Method = Upsert, Status = StatusCode.Internal });
        var one = await Assert.ThrowsAsync<Fault>(() => store.UpsertAsync(Name, [Point("p")], None).WaitAsync(Limit));
        Assert.DoesNotContain(FaultKeys.NotStored, one.Metadata.Keys);
        var faces = Enumerable.Range(0, 3).Select(i => Point($"f{i}") with { Payload = new() { JobId = "j", FaceIndex = i } });
        var job = await Assert.ThrowsAsync<Fault>(() => store.ReplaceFacesAsync(Name, "j", [.. faces], None).WaitAsync(Limit));
        Assert.DoesNotContain(FaultKeys.NotStored, job.Metadata.Keys);
    }

    private Task<QdrantVectorStore> SmallStoreAsync(int inFlight, Func<QdrantStoreOptions, QdrantStoreOptions>? with = null) =>
        FilledStoreAsync(options =>
        {
            options = options with { MaxUpsertPoints = 100, MaxUpsertsInFlight = inFlight, WriteRetrySeconds = 0 };
            return with?.Invoke(options) ?? options;
        });

    private static StoredPoint[] All() => [.. Ids.Select((id, i) => VectorStoreContract.Point(id, [1, i]))];

    /// <summary>Asserts that the points that are not named are stored, and no others, and returns the number of those named.</summary>
    private async Task<int> AssertExactAsync(IVectorStore store, Fault fault)
    {
        Troubles.Clear();
        var named = IndexRanges.Parse(fault.Metadata[FaultKeys.NotStored], Points)!;
        Assert.Equal(Ids.Where((_, i) => !named[i]), (await StoredAsync(store)).Order(StringComparer.Ordinal));
        return named.Count(isMissing => isMissing);
    }

    private static async Task<List<string>> StoredAsync(IVectorStore store)
    {
        var ids = new List<string>();
        var token = "";
        do
        {
            var page = await store.ListKeysAsync(Name, PointFilter.All, token, None);
            ids.AddRange(page.Keys.Select(key => key.Id));
            token = page.NextPageToken;
        }
        while (token.Length > 0);
        return ids;
    }
}
