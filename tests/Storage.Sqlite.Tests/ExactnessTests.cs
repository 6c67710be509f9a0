using Embeddings.Primitives.Numerics;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>Searches have the same results as comparing all vectors, bit for bit.</summary>
public sealed class ExactnessTests : IDisposable
{
    private const string Name = "points";
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    public static TheoryData<int, string> Cases()
    {
        var data = new TheoryData<int, string>();
        foreach (var kind in new[] { "random", "clustered", "equal", "tiny", "huge", "one-coordinate", "sparse", "ascending", "alternating", "mixed" })
        {
            foreach (var dimension in new[] { 1, 3, 17, 64, 65, 128, 512, 768 })
            {
                data.Add(dimension, kind);
            }

            data.Add(16_384, kind);
        }

        return data;
    }

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Results_are_those_of_comparing_all_vectors(int dimension, string kind)
    {
        var random = new Random(dimension + kind.Length);
        var count = dimension > 1000 ? 100 : 400;
        var points = new Dictionary<string, float[]>();
        await using (var store = await StartedAsync(dimension))
        {
            await ChangeAsync(store, points, Enumerable.Range(0, count).Select(i => (Id(i, random), Vector(kind, dimension, i, random))));
            await CompareAsync(store, points, dimension, kind, random);

            // Replaced, deleted, added.
            await ChangeAsync(store, points, points.Keys.Where(_ => random.Next(4) == 0).Select(id => (id, Vector(kind, dimension, random.Next(count), random))));
            var deleted = points.Keys.Where(_ => random.Next(3) == 0).ToArray();
            await store.DeleteAsync(Name, deleted, None);
            Array.ForEach(deleted, id => points.Remove(id));
            await ChangeAsync(store, points, Enumerable.Range(count, 70).Select(i => (Id(i, random), Vector(kind, dimension, i, random))));
            await CompareAsync(store, points, dimension, kind, random);
        }

        await using var again = await StartedAsync(dimension);
        await CompareAsync(again, points, dimension, kind, random);
    }

    [Theory]
    [InlineData("equal")]
    [InlineData("ascending")]
    [InlineData("random")]
    public async Task More_candidates_than_fit_are_compared_too(string kind)
    {
        const int Dimension = 20;
        const int Count = 6000;
        var random = new Random(3);
        var points = new Dictionary<string, float[]>();
        await using (var store = await StartedAsync(Dimension))
        {
            await ChangeAsync(store, points, Enumerable.Range(0, Count).Select(i => (Id(i, random), Vector(kind, Dimension, i, random))));
        }

        using var session = SqliteSchema.Open(_directory.Path, readOnly: true);
        using var catalog = new Catalog();
        await using var files = new IndexFiles(new EmbeddedStoreOptions { Directory = _directory.Path }, NullLogger.Instance);
        catalog.Load(session, files, NullLogger.Instance, None);
        var index = catalog.Require(Name);
        using var search = new ExactSearch(2);
        var all = Enumerable.Range(1, Count).Select(static row => (long)row).ToArray();
        foreach (var rows in new[] { null, all, all[..100] })
        {
            float[][] queries = [Vector(kind, Dimension, 5, random), Vector("random", Dimension, 0, random), Vector(kind, Dimension, 9, random)];
            using var vectors = AlignedBuffer.ZeroedFloats(queries.Length * index.Vectors.Stride);
            for (var q = 0; q < queries.Length; q++)
            {
                Assert.True(UnitVectors.TryNormalize(queries[q], vectors.Slice<float>((nuint)(q * index.Vectors.Stride), Dimension)));
            }

            var plan = new SearchPlan(index, vectors, [null, null, null], 7, null, Selection(rows)) { MaxCandidates = 1 };
            var found = await search.RunAsync(plan, None);
            Assert.True(kind != "equal" || found[0].IsAll == (rows?.Length != 100));
            var hits = Rescoring.Run(session, plan, found);
            var ids = rows is null ? null : Ids(session, rows);
            for (var q = 0; q < queries.Length; q++)
            {
                var expected = Expected(points.Where(point => ids?.Contains(point.Key) ?? true), queries[q], 7, null, null);
                Assert.Equal(expected, hits[q].Select(static hit => (hit.Id, hit.Score)));
            }
        }
    }

    [Fact]
    public async Task Few_rows_of_many_are_read_from_the_file()
    {
        const int Dimension = 128;
        const int Count = 20_000;
        var random = new Random(5);
        var points = new Dictionary<string, float[]>();
        await using (var store = await StartedAsync(Dimension))
        {
            await ChangeAsync(store, points, Enumerable.Range(0, Count).Select(i => (Id(i, random), Vector("random", Dimension, i, random))));
        }

        using var session = SqliteSchema.Open(_directory.Path, readOnly: true);
        using var catalog = new Catalog();
        await using var files = new IndexFiles(new EmbeddedStoreOptions { Directory = _directory.Path }, NullLogger.Instance);
        catalog.Load(session, files, NullLogger.Instance, None);
        var index = catalog.Require(Name);
        using var search = new ExactSearch(1);
        using var query = AlignedBuffer.ZeroedFloats(index.Vectors.Stride);
        Assert.True(UnitVectors.TryNormalize(Vector("random", Dimension, 0, random), query.AsSpan<float>()));
        var found = await search.RunAsync(new SearchPlan(index, query, [null], 10, null, null), None);
        Assert.InRange(found[0].Items.Length, 10, 200);
    }

    private static SelectedRows? Selection(long[]? rows)
    {
        if (rows is null)
        {
            return null;
        }

        var selected = new SelectedRows();
        Array.ForEach(rows, selected.Add);
        return selected;
    }

    private async Task<EmbeddedVectorStore> StartedAsync(int dimension)
    {
        var store = await EmbeddedStores.StartAsync(
            new EmbeddedStoreOptions { Directory = _directory.Path, SearchThreads = 3, ReserveBytes = 1 << 20, IndexFilePoints = 100 });
        await store.EnsureCollectionAsync(new CollectionSpec(Name, dimension, null), None);
        return store;
    }

    private static async Task ChangeAsync(
        EmbeddedVectorStore store, Dictionary<string, float[]> points, IEnumerable<(string Id, float[] Vector)> changes)
    {
        var batch = changes.Select(static change => new StoredPoint(change.Id, change.Vector, PointPayload.Empty)).ToArray();
        await store.UpsertAsync(Name, batch, None);
        Array.ForEach(batch, point => points[point.Id] = point.Vector.ToArray());
    }

    private static async Task CompareAsync(
        EmbeddedVectorStore store, Dictionary<string, float[]> points, int dimension, string kind, Random random)
    {
        string[] ids = [.. points.Keys.Order(StringComparer.Ordinal)];
        var queries = Enumerable.Range(0, 5)
            .Select(i => (
                Vector: i % 2 == 0 ? points[ids[random.Next(ids.Length)]] : Vector(i == 1 ? kind : "random", dimension, random.Next(1000), random),
                Exclude: i is 0 or 3 ? ids[random.Next(ids.Length)] : null))
            .ToArray();
        queries[4].Exclude = ids.First(id => points[id] == queries[4].Vector);
        var ranked = queries.Select(query => Expected(points, query.Vector, ids.Length, null, query.Exclude)).ToArray();
        var middle = ranked[0][ids.Length / 3].Score;
        foreach (var limit in new[] { 1, 10, ids.Length / 2, ids.Length + 5 })
        {
            foreach (var threshold in new float?[] { null, middle, MathF.BitIncrement(middle) })
            {
                var spec = new SearchSpec { Limit = limit, ScoreThreshold = threshold, WithPayload = limit == 10 };
                var found = await store.SearchAsync(
                    Name, [.. queries.Select(static query => query.Exclude is { } id ? new VectorQuery(query.Vector, id) : new VectorQuery(query.Vector))], spec, None);
                for (var q = 0; q < queries.Length; q++)
                {
                    var expected = ranked[q].Where(hit => threshold is null || hit.Score >= threshold).Take(limit);
                    Assert.Equal(expected, found[q].Select(static hit => (hit.Point.Id, hit.Score)));
                }
            }
        }
    }

    private static List<(string Id, float Score)> Expected(
        IEnumerable<KeyValuePair<string, float[]>> points, float[] query, int limit, float? threshold, string? exclude)
    {
        var unit = Unit(query);
        return [.. points
            .Where(point => point.Key != exclude)
            .Select(point => (Id: point.Key, Score: Storage.Score.Of(VectorMath.PreciseCosine(Unit(point.Value), unit))))
            .Where(hit => threshold is null || hit.Score >= threshold)
            .OrderByDescending(static hit => hit.Score)
            .ThenBy(static hit => hit.Id, StringComparer.Ordinal)
            .Take(limit)];
    }

    private static float[] Unit(float[] vector)
    {
        var unit = new float[vector.Length];
        Assert.True(UnitVectors.TryNormalize(vector, unit));
        return unit;
    }

    private static HashSet<string> Ids(SqliteSession session, long[] rows)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        using var reader = session.Read($"SELECT id FROM points_1 WHERE row <= {rows[^1]}");
        while (reader.Read())
        {
            ids.Add(PointCodec.Text(reader, 0));
        }

        return ids;
    }

    // Not in the order of insertion, so that ties do not come in order by chance.
    private static string Id(int i, Random random) => $"{random.Next(1_000_000):D6}-{i}";

    private static float[] Vector(string kind, int dimension, int i, Random random)
    {
        var vector = new float[dimension];
        var center = new Random(i % 5);
        for (var d = 0; d < dimension; d++)
        {
            var noise = (random.NextSingle() * 2) - 1;
            vector[d] = kind switch
            {
                "clustered" => (center.NextSingle() - 0.5f) + (noise * 1e-3f),
                "equal" => d % 3 == 0 ? 0.7f : -0.2f,
                "tiny" => noise * 1e-30f,
                "huge" => noise * 1e30f,
                "one-coordinate" => d == i % dimension ? 1000 : noise,
                "sparse" => random.Next(10) == 0 || d == i % dimension ? noise + 0.01f : 0,
                "ascending" => 1 + (noise * 1e-2f / (1 + i)),
                "alternating" => (i % 2 == 0 ? 1 : -1) * ((center.NextSingle() - 0.5f) + (noise * (i % 7 == 0 ? 0 : 1e-6f))),
                "mixed" => noise * MathF.Pow(10, random.Next(-6, 6)),
                _ => noise,
            };
        }

        if (VectorMath.IsZero(vector))
        {
            vector[0] = 1;
        }

        return vector;
    }
}
