using Embeddings.Primitives;
using Embeddings.Testing;
using Embeddings.Testing.Stores;
using static Embeddings.Testing.Stores.VectorStoreContract;

namespace Embeddings.Storage.Sqlite.Tests;

/// <summary>Memory of collections, and the limits on their number and dimension.</summary>
public sealed class LimitTests : IDisposable
{
    private static readonly CancellationToken None = CancellationToken.None;
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1, 4096)]
    [InlineData(512, 4096)]
    [InlineData(5_000_000, 5_000_080)]
    public void The_first_segment_is_sized_to_its_content(int dimension, long bytes)
    {
        using var vectors = new CodeSegments(dimension);
        vectors.Reserve(1);
        Assert.InRange(vectors.Bytes, bytes * 8 / 10, bytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    [InlineData(512)]
    public void The_first_segment_doubles_and_keeps_its_content(int dimension)
    {
        using var vectors = new CodeSegments(dimension);
        var rows = vectors.SegmentRows + 1;
        var random = new Random(1);
        var contents = Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, dimension).Select(_ => random.NextSingle()).ToArray()).ToArray();
        for (var row = 0; row < rows; row++)
        {
            vectors.Reserve(row + 1);
            Assert.True(vectors.TrySet(row, row + 1000, contents[row]));
            if (row < vectors.SegmentRows)
            {
                Assert.InRange(vectors.Bytes, 0, Math.Max(4096, 2L * (row + 1) * vectors.RowBytes));
            }
        }

        for (var row = 0; row < rows; row++)
        {
            Assert.True(vectors.Matches(row, contents[row]));
            Assert.Equal(row + 1000, vectors.Row(row));
            Assert.InRange(Error(vectors, row), 1e-9, 0.1);
        }

        vectors.Trim(0);
        Assert.Equal(0, vectors.Bytes);

        static unsafe float Error(CodeSegments vectors, int row) => *vectors.Errors(row);
    }

    [Fact]
    public void A_point_of_512_dimensions_takes_at_most_three_tenths_of_its_vector()
    {
        const int Count = 100_000;
        using var index = new CollectionIndex(1, "c", 512, null);
        var vector = Enumerable.Range(0, 512).Select(static i => i + 1f).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var row = 1; row <= Count; row++)
        {
            Assert.True(index.Load(row, vector));
        }

        var bytes = GC.GetAllocatedBytesForCurrentThread() - before + index.Vectors.Bytes;
        Assert.InRange(bytes / (double)Count, 512, 0.3 * 512 * sizeof(float));
    }

    [Fact]
    public void A_collection_of_one_point_takes_a_few_KB()
    {
        const int Count = 1500;
        var catalog = new Catalog();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var key = 1; key <= Count; key++)
        {
            catalog.Set(key, new CollectionSpec($"c{key}", 512, null));
            Assert.True(catalog.Require($"c{key}").Load(1, Enumerable.Repeat(1f, 512).ToArray()));
        }

        var managed = GC.GetAllocatedBytesForCurrentThread() - before;
        var vectors = catalog.All.Sum(static index => index.Vectors.Bytes);
        catalog.Dispose();
        Assert.InRange((managed + vectors) / Count, 1, 16 << 10);
    }

    [Fact]
    public async Task The_number_of_collections_is_limited()
    {
        await using var store = await EmbeddedStores.StartAsync(Options() with { MaxCollections = 3 });
        // Concurrently, so that several reach the transaction before any is in the catalog.
        var errors = await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
            await Record.ExceptionAsync(() => store.EnsureCollectionAsync(new($"c{i}", 2, null), None).AsTask())));
        Assert.Equal(3, errors.Count(static error => error is null));
        Assert.All(errors.OfType<Exception>(), static error =>
        {
            var fault = Assert.IsType<Fault>(error);
            Assert.Equal((FaultKind.ResourceExhausted, Reasons.StoreFull), (fault.Kind, fault.Reason));
            Assert.Contains("more than 3 collections", fault.Message, StringComparison.Ordinal);
            Assert.Contains("Store:Embedded:MaxCollections", fault.Message, StringComparison.Ordinal);
        });

        var existing = (await store.ListCollectionsAsync(None))[0].Name;
        await store.EnsureCollectionAsync(new(existing, 2, null), None);
        await store.DropCollectionAsync(existing, None);
        await store.EnsureCollectionAsync(new("another", 2, null), None);
        Assert.Null(await store.CheckWritesAsync(None));
    }

    [Fact]
    public async Task A_store_beyond_its_limits_starts_and_says_so()
    {
        await using (var store = await EmbeddedStores.StartAsync(Options()))
        {
            foreach (var (name, dimension) in new[] { ("a", 2), ("b", 3), ("large", 100) })
            {
                await store.EnsureCollectionAsync(new(name, dimension, null), None);
                await store.UpsertAsync(name, [Point("p", [.. Enumerable.Repeat(1f, dimension)])], None);
            }
        }

        var log = new EventLog();
        await using var again = await EmbeddedStores.StartAsync(
            Options() with { MaxCollections = 2, MaxDimension = 50, MaxPoints = 2 }, log);
        var said = log.Texts(4007);
        Assert.Equal(3, said.Count);
        Assert.Contains(said, static text => text.Contains("3 collections, Store:Embedded:MaxCollections is 2", StringComparison.Ordinal));
        Assert.Contains(said, static text => text.Contains("3 points, Store:Embedded:MaxPoints is 2", StringComparison.Ordinal));
        Assert.Contains(said, static text => text.Contains("'large' has 100 dimensions, Store:Embedded:MaxDimension is 50", StringComparison.Ordinal));

        // What exists stays usable.
        await again.EnsureCollectionAsync(new("large", 100, null), None);
        await again.UpsertAsync("large", [Point("p", [.. Enumerable.Repeat(2f, 100)])], None);
        Assert.Equal(2, (await again.GetAsync("large", "p", None))!.Vector.Span[0]);
        await AssertFaultAsync(
            FaultKind.ResourceExhausted, Reasons.StoreFull, () => again.EnsureCollectionAsync(new("new", 2, null), None).AsTask());
        await AssertFaultAsync(
            FaultKind.InvalidArgument, Reasons.FieldTooLong, () => again.EnsureCollectionAsync(new("new", 51, null), None).AsTask());
    }

    private EmbeddedStoreOptions Options() => new() { Directory = _directory.Path, ReserveBytes = 1 << 20 };
}
