using System.Globalization;
using System.Text.Json;
using Embeddings.IntegrationTests.Infrastructure;
using Embeddings.Testing;
using Embeddings.V1;
using Microsoft.Extensions.Logging;

namespace Embeddings.IntegrationTests;

/// <summary>The log on the console, and the lines about deletions.</summary>
public sealed class LogTests
{
    private const string Collection = "c";

    public static TheoryData<string> Stores => StartedStore.All;

    [Fact]
    public async Task Console_lines_begin_with_the_time()
    {
        using var folder = new TempFolder();
        var began = DateTimeOffset.UtcNow;
        var (process, api) = await ServerProcess.StartAsync(folder.Path);
        using (process)
        using (api)
        {
            // Further lines of an entry are indented.
            var entries = process.Output.Split('\n').Where(line => line.Length > 0 && !line.StartsWith(' ')).ToList();
            Assert.NotEmpty(entries);
            Assert.All(entries, entry => AssertTime(began, entry.Split(' ')[0]));
            Assert.All(entries, entry => Assert.Matches("^[^ ]+Z (info|warn): ", entry));
        }
    }

    [Fact]
    public async Task The_console_writes_JSON_if_configured()
    {
        using var folder = new TempFolder();
        var began = DateTimeOffset.UtcNow;
        var (process, api) = await ServerProcess.StartAsync(folder.Path, "--Logging:Console:FormatterName=json");
        using (process)
        using (api)
        {
            await api.Vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { Items.Point("a", [1]) } }).Bound();
            await api.Vectors.DeleteCollectionAsync(new() { Collection = Collection }).Bound();
            var deleted = await process.SeenAsync("\"EventId\":3017");
            Assert.All(process.Output.Split('\n').Where(line => line.Length > 0), line =>
            {
                var entry = JsonDocument.Parse(line).RootElement;
                AssertTime(began, entry.GetProperty("Timestamp").GetString()!);
                Assert.NotEmpty(entry.GetProperty("Category").GetString()!);
            });
            var state = JsonDocument.Parse(deleted).RootElement.GetProperty("State");
            Assert.Equal(Collection, state.GetProperty("Collection").GetString());
            Assert.Equal(1, state.GetProperty("Count").GetInt64());
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Each_deletion_is_one_line(string store)
    {
        var log = new LogLines();
        await using var stores = await StartedStore.StartAsync(store, log.Replace, "--Logging:LogLevel:Default=Information");
        var vectors = stores.Server.Api.Vectors;
        var points = Enumerable.Range(0, 10).Select(i => Items.Point($"p{i}", [1, i], new() { JobId = $"job{i / 2}" }));
        await vectors.UpsertVectorsAsync(new() { Collection = Collection, Points = { points } }).Bound();
        var before = Deletions().Count;

        await vectors.DeleteVectorsAsync(new() { Collection = Collection, PointIds = { "p0", "unknown" } }).Bound();
        await vectors.DeleteVectorsAsync(new() { Collection = Collection, Filter = new() { JobId = "job1" } }).Bound();
        await vectors.DeleteByJobIdAsync(new() { Collection = Collection, JobId = "job2" }).Bound();
        await vectors.DeleteByJobIdAsync(new() { JobId = "job3" }).Bound();
        await vectors.DeleteByJobIdAsync(new() { JobId = "unknown" }).Bound();
        await vectors.DeleteCollectionAsync(new() { Collection = Collection }).Bound();

        const string Service = "/embeddings.v1.VectorStoreService";
        Assert.Equal(
            [
                $"{Service}/DeleteVectors deleted 1 points of c",
                $"{Service}/DeleteVectors deleted 2 points of c",
                $"{Service}/DeleteByJobId deleted 2 points of c",
                $"{Service}/DeleteByJobId deleted 2 points of all collections",
                $"{Service}/DeleteByJobId deleted 0 points of all collections",
                $"{Service}/DeleteCollection deleted collection c with 3 points",
            ],
            Deletions()[before..].Select(line => line.Text));

        // All lines about deletions that a server with default settings shows.
        List<LogLine> Deletions() =>
        [
            .. log.All.Where(line =>
                line.Level >= LogLevel.Information
                && (line.Text.Contains("delet", StringComparison.OrdinalIgnoreCase) || line.Text.Contains("drop", StringComparison.OrdinalIgnoreCase))),
        ];
    }

    private static void AssertTime(DateTimeOffset began, string text) => Assert.InRange(
        DateTimeOffset.ParseExact(text, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
        began.AddMilliseconds(-1),
        DateTimeOffset.UtcNow);
}
