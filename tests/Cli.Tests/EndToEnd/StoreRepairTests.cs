using System.Runtime.InteropServices;
using Embeddings.Storage;
using Embeddings.Testing.Stores;

namespace Embeddings.Cli.Tests.EndToEnd;

/// <summary>store verify and store salvage on a store with a damaged point.</summary>
public sealed class StoreRepairTests
{
    [Fact]
    public async Task Verify_finds_a_damaged_point_and_salvage_saves_the_others()
    {
        using var folder = new TempFolder();
        var source = folder.File("source");
        var setting = $"--Store:Embedded:Directory={source}";
        await using (var store = await EmbeddedStores.StartAsync(source))
        {
            await store.EnsureCollectionAsync(new("faces", 4, null), default);
            await store.UpsertAsync(
                "faces",
                [.. Enumerable.Range(1, 5).Select(i => new StoredPoint($"p{i}", new[] { i, 1.5f, 2.5f, 3.5f }, PointPayload.Empty))],
                default);
            var inUse = await CommandResult.RunAsync("store", "verify", setting);
            Assert.Equal(ExitCode.Failed, inUse.ExitCode);
            Assert.Contains("in use", inUse.Error, StringComparison.Ordinal);
        }

        var sound = await CommandResult.RunAsync("store", "verify", "--json", setting);
        Assert.Equal(ExitCode.Done, sound.ExitCode);
        Assert.Equal((5, 0), Counts(sound, "points", "damaged"));

        var database = Path.Combine(source, "embeddings.db");
        var content = await File.ReadAllBytesAsync(database);
        content[content.AsSpan().IndexOf(MemoryMarshal.AsBytes<float>(new[] { 3, 1.5f, 2.5f, 3.5f })) + 6] ^= 1;
        await File.WriteAllBytesAsync(database, content);
        var damaged = await CommandResult.RunAsync("store", "verify", "--json", setting);
        Assert.Equal(ExitCode.Failed, damaged.ExitCode);
        Assert.Equal((5, 1), Counts(damaged, "points", "damaged"));
        Assert.Contains("'p3'", damaged.Error, StringComparison.Ordinal);

        var target = folder.File("target");
        var salvaged = await CommandResult.RunAsync("store", "salvage", "--to", target, "--json", setting);
        Assert.Equal(ExitCode.SomeItemsFailed, salvaged.ExitCode);
        Assert.Equal((4, 1), Counts(salvaged, "saved", "lost"));
        Assert.Contains("lost 'p3'", salvaged.Error, StringComparison.Ordinal);
        var again = await CommandResult.RunAsync("store", "salvage", "--to", target, setting);
        Assert.Equal(ExitCode.Failed, again.ExitCode);
        Assert.Contains("must be a new store", again.Error, StringComparison.Ordinal);

        await using var saved = await EmbeddedStores.StartAsync(target);
        Assert.Equal(["p1", "p2", "p4", "p5"], (await saved.ListAsync("faces", PointFilter.All, 10, "", false, default)).Points.Select(point => point.Id));
    }

    private static (int First, int Second) Counts(CommandResult result, string first, string second)
    {
        var collection = Assert.Single(result.Objects);
        return (collection.GetProperty(first).GetInt32(), collection.GetProperty(second).GetInt32());
    }
}
