using System.Runtime.InteropServices;
using Embeddings.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Embeddings.Storage.Qdrant.Tests;

/// <summary>When deleted points are gone from the files of a real Qdrant, as docs/privacy.md says.</summary>
public sealed class RealQdrantEraseTests(ITestOutputHelper output)
{
    private const string Name = "faces";
    private const int Dimension = 64;
    private static readonly CancellationToken None = CancellationToken.None;

    [ToolFact("QDRANT_BINARY")]
    public async Task A_dropped_collection_is_gone_from_the_files()
    {
        using var folder = new TempFolder();
        await using var node = await StartAsync(folder);
        await using var store = await StoreAsync(node, new());
        await store.UpsertAsync(Name, Points(0, 500), None);
        Assert.NotEmpty(Left(folder.Path, Enumerable.Range(0, 500)));
        await store.DropCollectionAsync(Name, None);
        await AreGoneAsync(folder.Path, Enumerable.Range(0, 500), _ => true);
    }

    [ToolFact("QDRANT_BINARY")]
    public async Task Deleted_points_are_gone_from_the_segments_after_Qdrant_has_rewritten_them()
    {
        using var folder = new TempFolder();
        await using var node = await StartAsync(folder);
        await using var store = await StoreAsync(node, new() { DeletedThreshold = 0.0001, VacuumMinVectors = 100 });
        for (var i = 0; i < 3000; i += 500)
        {
            await store.UpsertAsync(Name, Points(i, 500), None);
        }
        await store.DeleteAsync(Name, [.. Enumerable.Range(100, 500).Select(Id)], None);
        await AreGoneAsync(folder.Path, Enumerable.Range(100, 500), path => path.Contains("segments", StringComparison.Ordinal));
        output.WriteLine(string.Join('\n', Left(folder.Path, Enumerable.Range(100, 500)).Take(10)));
        Assert.Equal(2500, await store.CountAsync(Name, PointFilter.All, None));
    }

    private static Task<QdrantNode> StartAsync(TempFolder folder) => QdrantNode.StartAsync(
        new Dictionary<string, string>
        {
            ["QDRANT__STORAGE__STORAGE_PATH"] = folder.File("storage"),
            ["QDRANT__STORAGE__SNAPSHOTS_PATH"] = folder.File("snapshots"),
        });

    private static async Task<QdrantVectorStore> StoreAsync(QdrantNode node, QdrantCollectionOptions collections)
    {
        var store = new QdrantVectorStore(
            new() { Url = node.Address.AbsoluteUri }, collections, NullLogger<QdrantVectorStore>.Instance, TimeProvider.System);
        await store.StartAsync(None);
        await store.EnsureCollectionAsync(new(Name, Dimension, null), None);
        return store;
    }

    private async Task AreGoneAsync(string folder, IEnumerable<int> points, Func<string, bool> inFile)
    {
        IReadOnlyList<string> left = [];
        for (var attempt = 0; attempt < 120; attempt++)
        {
            left = [.. Left(folder, points).Where(inFile)];
            if (left.Count == 0)
            {
                return;
            }
            await Task.Delay(500);
        }
        output.WriteLine(string.Join('\n', left.Take(20)));
        Assert.Fail($"{left.Count} traces are left, for example {left[0]}.");
    }

    private static List<string> Left(string folder, IEnumerable<int> points)
    {
        var traces = points.ToDictionary(i => MemoryMarshal.Read<ulong>(MemoryMarshal.AsBytes(Vector(i).AsSpan())));
        var left = new List<string>();
        foreach (var path in Directory.GetFiles(folder, "*", SearchOption.AllDirectories))
        {
            byte[] bytes;
            try
            {
                bytes = File.ReadAllBytes(path);
            }
            catch (IOException)
            {
                // Qdrant has removed it in between.
                continue;
            }
            for (var at = 0; at + 8 <= bytes.Length; at++)
            {
                if (traces.TryGetValue(MemoryMarshal.Read<ulong>(bytes.AsSpan(at)), out var i))
                {
                    left.Add($"vector of {i} in {Path.GetRelativePath(folder, path)} at {at}");
                }
            }
        }
        return left;
    }

    private static StoredPoint[] Points(int first, int count) =>
        [.. Enumerable.Range(first, count).Select(i => new StoredPoint(Id(i), Vector(i), new() { JobId = $"job-{i}" }))];

    private static string Id(int i) => $"p{i}";

    // Of unit length, so that Qdrant stores its bytes as they are.
    private static float[] Vector(int seed)
    {
        var random = new Random(seed);
        var values = Enumerable.Range(0, Dimension).Select(_ => random.NextDouble() - 0.5).ToArray();
        var norm = Math.Sqrt(values.Sum(value => value * value));
        return [.. values.Select(value => (float)(value / norm))];
    }
}
