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
    [InlineData(5_000_000, 20_000_000)]
    public void The_first_segment_is_sized_to_its_content(int dimension, long bytes)
    {
        using var vectors = new VectorSegments(dimension);
        vectors.Reserve(1);
        Assert.Equal(bytes, vectors.Bytes);
    }

    [Fact]
    public void The_first_segment_doubles_and_keeps_its_content()
    {
        const int Dimension = 100;
        using var vectors = new VectorSegments(Dimension);
        var rows = vectors.SegmentRows + 1;
        for (var row = 0; row < rows; row++)
        {
            vectors.Reserve(row + 1);
            vectors.Span(row).Fill(row + 1);
            if (row < vectors.SegmentRows)
            {
                Assert.InRange(vectors.Bytes, 0, Math.Max(4096, 2L * (row + 1) * vectors.Stride * sizeof(float)));
            }
        }

        for (var row = 0; row < rows; row++)
        {
            Assert.Equal(row + 1, vectors.Span(row)[Dimension - 1]);
            Assert.Equal(0, Padding(vectors, row));
        }

        vectors.Trim(0);
        Assert.Equal(0, vectors.Bytes);

        static unsafe float Padding(VectorSegments vectors, int row) => vectors.Row(row)[Dimension];
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
            Assert.True(catalog.Require($"c{key}").Load(1, "p", Enumerable.Repeat(1f, 512).ToArray()));
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
