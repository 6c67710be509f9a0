using Embeddings.Testing;
using Embeddings.Testing.Stores;

namespace Embeddings.Storage.Sqlite.Tests;

public sealed class OrderedListingTests : OrderedListingContract, IDisposable
{
    private readonly TempFolder _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("2026-05-01T12:00:00Z", 1_777_636_800_000)]
    [InlineData("2026-05-01T14:00:00+02:00", 1_777_636_800_000)]
    [InlineData("2026-05-01T12:00:00.1239999Z", 1_777_636_800_123)]
    [InlineData("2026-05-01T12:00:00", null)]
    [InlineData("2026-05-01 12:00:00Z", null)]
    [InlineData("2026-05-01", null)]
    [InlineData("2026-13-01T12:00:00Z", null)]
    [InlineData("", null)]
    [InlineData("Z", null)]
    public void Times_are_texts_in_rfc_3339(string text, long? milliseconds) =>
        Assert.Equal(milliseconds, AttributeTimes.TryParse(text, out var time) ? time : null);

    private protected override async Task<IVectorStore> CreateAsync() => await EmbeddedStores.StartAsync(_directory.Path);
}
