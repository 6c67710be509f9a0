using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>Listings in an order, with a real Qdrant.</summary>
[Collection(RealQdrant.Collection)]
public sealed class RealQdrantOrderTests(RealQdrant qdrant) : OrderedListingContract
{
    private protected override bool OrdersIds => false;

    private protected override async Task<IVectorStore> CreateAsync()
    {
        var missing = Tool.Missing("QDRANT_BINARY", "QDRANT_URL");
        Assert.SkipWhen(missing is not null, missing ?? "");
        return await qdrant.StartStoreAsync();
    }
}

/// <summary>Several servers on one Qdrant.</summary>
[Collection(RealQdrant.Collection)]
public sealed class RealQdrantAliasTests(RealQdrant qdrant)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Another_server_sees_a_switch_within_a_second()
    {
        var missing = Tool.Missing("QDRANT_BINARY", "QDRANT_URL");
        Assert.SkipWhen(missing is not null, missing ?? "");
        var clock = new StandingClock();
        await using var one = await QdrantStores.StartAsync(qdrant.Address);
        await using var two = await QdrantStores.StartAsync(qdrant.Address, time: clock);
        var prefix = $"test-{Guid.NewGuid():N}-";
        await one.EnsureCollectionAsync(new(prefix + "1", 2, null), None);
        await one.EnsureCollectionAsync(new(prefix + "2", 2, null), None);
        try
        {
            await one.UpdateAliasesAsync([new(prefix + "a", prefix + "1")], [], None);
            Assert.Equal(prefix + "1", (await two.AliasesAsync(None))[prefix + "a"]);
            await one.UpdateAliasesAsync([new(prefix + "a", prefix + "2")], [], None);
            Assert.Equal(prefix + "2", (await one.AliasesAsync(None))[prefix + "a"]);
            // The clock of the second server stands still: it need not look again.
            Assert.Equal(prefix + "1", (await two.AliasesAsync(None))[prefix + "a"]);
            clock.Advance(TimeSpan.FromMilliseconds(500));
            Assert.Equal(prefix + "2", (await two.AliasesAsync(None))[prefix + "a"]);
        }
        finally
        {
            await one.DropCollectionAsync(prefix + "1", None);
            await one.DropCollectionAsync(prefix + "2", None);
        }
        Assert.DoesNotContain(prefix + "a", (await one.AliasesAsync(None)).Keys);
    }

    /// <summary>A clock whose timestamps stand still until it is advanced.</summary>
    private sealed class StandingClock : TimeProvider
    {
        private long _ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _ticks);

        public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
    }
}
