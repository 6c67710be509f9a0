using Embeddings.Testing;
using Embeddings.Testing.Stores;
using FsCheck;
using FsCheck.Fluent;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class EmbeddedVectorStoreModelTests : IDisposable
{
    // Distinct directions, and a query with a different distance to each of them.
    private const int Directions = 24;
    private const double QueryAngle = 0.1;
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Any_sequence_of_writes_has_the_same_result_as_a_dictionary()
    {
        await using var store = await EmbeddedStores.StartAsync(_directory.Path);
        var runs = 0;
        Prop.ForAll(ArbMap.Default.ArbFor<int[]>(), operations => Agrees(store, $"run{runs++}", operations).GetAwaiter().GetResult())
            .QuickCheckThrowOnFailure();
    }

    private static async Task<bool> Agrees(EmbeddedVectorStore store, string collection, int[] operations)
    {
        await store.EnsureCollectionAsync(new CollectionSpec(collection, 2, null), default);
        var model = new Dictionary<string, StoredPoint>();
        var writes = new List<Task>();
        foreach (var operation in operations)
        {
            // Not awaited one by one, so that they form groups; they must still be applied in order.
            writes.Add(Apply(store, collection, model, operation));
        }

        await Task.WhenAll(writes);
        foreach (var filter in new[] { PointFilter.All, new PointFilter { JobId = "j1" }, new PointFilter { JobId = "j2", FaceIndex = 1 } })
        {
            var matching = model.Values.Where(point => Matches(point, filter)).ToList();
            var spec = new SearchSpec { Limit = 5, Filter = filter };
            var hits = (await store.SearchAsync(collection, [new VectorQuery(Direction(QueryAngle))], spec, default))[0];
            var expected = matching
                .OrderByDescending(point => Math.Round(VectorStoreContract.Cosine(point.Vector.Span, Direction(QueryAngle)), 5))
                .ThenBy(point => point.Id, StringComparer.Ordinal)
                .Take(5);
            if (await store.CountAsync(collection, filter, default) != matching.Count
                || !hits.Select(hit => Seen(hit.Point)).SequenceEqual(expected.Select(Seen)))
            {
                return false;
            }
        }

        return true;
    }

    private static (string Id, int? FaceIndex) Seen(StoredPoint point) => (point.Id, point.Payload.FaceIndex);

    private static Task Apply(EmbeddedVectorStore store, string collection, Dictionary<string, StoredPoint> model, int operation)
    {
        var number = Math.Abs((long)operation);
        var id = $"p{number / 8 % 12}";
        switch (number % 8)
        {
            case 6:
                model.Remove(id);
                model.Remove("p1");
                return store.DeleteAsync(collection, [id, "p1", id], default);
            case 7:
                var filter = new PointFilter { JobId = $"j{number / 8 % 3}" };
                foreach (var point in model.Values.Where(point => Matches(point, filter)).ToList())
                {
                    model.Remove(point.Id);
                }

                return store.DeleteAsync(collection, filter, default);
            default:
                StoredPoint[] points = [Point(id, number), Point($"p{number % 12}", number + 1)];
                model[points[0].Id] = points[0];
                model[points[1].Id] = points[1];
                return store.UpsertAsync(collection, points, default);
        }
    }

    private static StoredPoint Point(string id, long seed) =>
        new(id, Direction(2 * Math.PI * (seed % Directions) / Directions), new PointPayload { JobId = $"j{seed % 3}", FaceIndex = (int)(seed % 4) });

    private static bool Matches(StoredPoint point, PointFilter filter) =>
        (filter.JobId ?? point.Payload.JobId) == point.Payload.JobId && (filter.FaceIndex ?? point.Payload.FaceIndex) == point.Payload.FaceIndex;

    private static float[] Direction(double angle) => [(float)Math.Cos(angle), (float)Math.Sin(angle)];
}
