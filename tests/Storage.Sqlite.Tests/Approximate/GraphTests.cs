using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Embeddings.Storage.Sqlite.Approximate;
using Embeddings.Testing;

namespace Embeddings.Storage.Sqlite.Tests.Approximate;

public sealed class GraphTests : IDisposable
{
    private const int Dimension = 32;
    private static readonly ApproximateIndexSettings Settings = new(16, 128);
    private static readonly GraphFooter Footer = new(7, Dimension, Settings);
    private readonly TempFolder _directory = new();
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(16);
    private readonly ClusteredPoints _points = new(Dimension, 20, 1);

    private string Path => GraphFile.PathIn(_directory.Path, 7);

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Rows_are_found_after_additions_replacements_and_erasures(int threads)
    {
        using var graph = new Graph(Dimension, Settings, 4);
        Assert.Empty(Search(graph, 1));
        Add(graph, threads, [.. Enumerable.Range(1, 3000)]);
        Assert.Equal(3000, graph.Nodes);
        for (var row = 1; row <= 3000; row += 7)
        {
            Assert.Contains(row, Search(graph, row));
        }

        // Replaced: row i gets the vector of number 10,000 + i.
        var replaced = Enumerable.Range(1, 500).ToArray();
        Change(graph, threads, [.. replaced.Select(row => ((long)row, true, (int?)(10_000 + row)))]);
        Change(graph, threads, [.. Enumerable.Range(501, 500).Select(row => ((long)row, true, (int?)null))]);
        Assert.Equal((3000, 500), (graph.Nodes, graph.Spares));
        var codes = new sbyte[Dimension];
        Assert.All(Enumerable.Range(501, 500), row => Assert.False(graph.TryGet(row, codes)));
        Assert.All(replaced, row => Assert.True(graph.TryGet(row, codes)));
        var found = 0;
        foreach (var row in replaced)
        {
            found += Search(graph, 10_000 + row).Contains(row) ? 1 : 0;
        }

        // The library links a node that is used again a little worse than a new one.
        Assert.InRange(found, 450, 500);
        for (var row = 501; row <= 1000; row++)
        {
            Assert.DoesNotContain(row, Search(graph, row));
        }

        // Spare nodes are used first.
        Add(graph, threads, [.. Enumerable.Range(5000, 600)]);
        Assert.Equal((3100, 0), (graph.Nodes, graph.Spares));
        Assert.Contains(5300, Search(graph, 5300));
    }

    [Fact]
    public void A_saved_graph_is_the_same_after_loading()
    {
        using var graph = new Graph(Dimension, Settings, 2);
        Add(graph, 2, [.. Enumerable.Range(1, 2000)]);
        Change(graph, 1, [.. Enumerable.Range(1, 100).Select(row => ((long)row, true, (int?)null))]);
        var rows = Enumerable.Range(101, 1900).Select(static row => (long)row).ToArray();
        var recall = new GraphRecall(0.98f, 200, 96, 1900);
        GraphFile.Write(Path, graph, rows, Footer with { Recall = recall }, _key);
        var (loadedRows, footer) = GraphFile.Read(Path, _key, out _)!.Value;
        Assert.Equal(rows, loadedRows);
        Assert.Equal((7, Dimension, Settings, recall), (footer.Collection, footer.Dimension, footer.Settings, footer.Recall));
        using var loaded = new Graph(Dimension, Settings, 3);
        loaded.Load(Path, loadedRows.Length);
        Assert.Equal((2000, 100), (loaded.Nodes, loaded.Spares));
        for (var row = 1; row <= 2000; row += 13)
        {
            Assert.Equal(Search(graph, row), Search(loaded, row));
        }

        Add(loaded, 3, [.. Enumerable.Range(3000, 500)]);
        Assert.Equal((2400, 0), (loaded.Nodes, loaded.Spares));
        Assert.Contains(3400, Search(loaded, 3400));
    }

    [Fact]
    public void Erased_vectors_are_not_in_the_file()
    {
        using var graph = new Graph(Dimension, Settings, 2);
        Add(graph, 2, [.. Enumerable.Range(1, 1000)]);
        Change(graph, 2, [.. Enumerable.Range(1, 300).Select(row => ((long)row, true, row % 2 == 0 ? row + 5000 : (int?)null))]);
        GraphFile.Write(Path, graph, [1], Footer, _key);
        ReadOnlySpan<byte> file = File.ReadAllBytes(Path);
        for (var row = 1; row <= 1000; row++)
        {
            Assert.Equal(row > 300, file.IndexOf(MemoryMarshal.AsBytes<sbyte>(Codes(row))) >= 0);
        }
    }

    [Fact]
    public void A_file_that_has_changed_is_refused()
    {
        using var graph = new Graph(Dimension, Settings, 2);
        Add(graph, 2, [.. Enumerable.Range(1, 300)]);
        GraphFile.Write(Path, graph, [1, 2, 3], Footer, _key);
        var whole = File.ReadAllBytes(Path);
        Assert.NotNull(GraphFile.Read(Path, _key, out _));
        var random = new Random(5);
        for (var i = 0; i < 200; i++)
        {
            var changed = whole.ToArray();
            // Everywhere, and more often in the first and the last bytes.
            var position = (i % 3) switch { 0 => i, 1 => whole.Length - 1 - i, _ => random.Next(whole.Length) };
            changed[position] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(Path, changed);
            Assert.Null(GraphFile.Read(Path, _key, out var reason));
            Assert.Contains("damaged", reason, StringComparison.Ordinal);
        }

        foreach (var length in (int[])[0, 1, 31, 32, 159, 160, 161, 1000, whole.Length - 1])
        {
            File.WriteAllBytes(Path, whole[..length]);
            Assert.Null(GraphFile.Read(Path, _key, out _));
        }

        File.WriteAllBytes(Path, [.. whole, 0]);
        Assert.Null(GraphFile.Read(Path, _key, out _));
        // Written by another store.
        File.WriteAllBytes(Path, whole);
        Assert.Null(GraphFile.Read(Path, RandomNumberGenerator.GetBytes(16), out _));
        Assert.NotNull(GraphFile.Read(Path, _key, out _));
        File.Delete(Path);
        Assert.Null(GraphFile.Read(Path, _key, out _));
    }

    [Fact]
    public void Files_of_other_collections_and_interrupted_writes_are_deleted()
    {
        foreach (var name in (string[])["embeddings.graph.1", "embeddings.graph.2", "embeddings.graph.2.tmp", "embeddings.db", "other"])
        {
            File.WriteAllText(System.IO.Path.Combine(_directory.Path, name), "x");
        }

        GraphFile.DeleteOthers(_directory.Path, new HashSet<long> { 2 });
        Assert.Equal(
            ["embeddings.db", "embeddings.graph.2", "other"],
            Directory.GetFiles(_directory.Path).Select(System.IO.Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Searches_and_additions_run_at_the_same_time()
    {
        using var graph = new Graph(Dimension, Settings, 4);
        Add(graph, 4, [.. Enumerable.Range(1, 1000)]);
        var added = Task.Run(() =>
        {
            for (var first = 1001; first < 9000; first += 100)
            {
                Add(graph, 2, [.. Enumerable.Range(first, 100)]);
                Change(graph, 2, [.. Enumerable.Range(first, 20).Select(row => ((long)row, true, (int?)null))]);
            }
        });
        // More searches than the graph has memory for: they take turns.
        var searches = Enumerable.Range(0, 12).Select(_ => Task.Run(() =>
        {
            for (var row = 1; !added.IsCompleted; row = (row % 1000) + 1)
            {
                Assert.NotEmpty(Search(graph, row));
            }
        }));
        await Task.WhenAll([added, .. searches]);
        Assert.Equal(1000 + 8000, graph.Nodes - graph.Spares + (80 * 20));
    }

    [Fact]
    public void A_freed_graph_finds_nothing()
    {
        var graph = new Graph(Dimension, Settings, 2);
        Add(graph, 1, [1, 2, 3]);
        graph.Dispose();
        graph.Dispose();
        Assert.Empty(Search(graph, 1));
        Assert.Throws<ObjectDisposedException>(() => Add(graph, 1, [4]));
    }

    private sbyte[] Codes(int number) => GraphCodes.Encode(_points.Vector(number));

    private long[] Search(Graph graph, int number)
    {
        var rows = new long[64];
        return rows[..graph.Search(Codes(number), rows)];
    }

    private void Add(Graph graph, int threads, int[] rows) =>
        Change(graph, threads, [.. rows.Select(row => ((long)row, false, (int?)row))]);

    private void Change(Graph graph, int threads, (long Row, bool IsInGraph, int? Number)[] changes)
    {
        var codes = new sbyte[changes.Length * Dimension];
        for (var i = 0; i < changes.Length; i++)
        {
            if (changes[i].Number is { } number)
            {
                Codes(number).CopyTo(codes, i * Dimension);
            }
        }

        GraphChange[] all = [.. changes.Select(change => new GraphChange(change.Row, change.IsInGraph, change.Number is not null))];
        Assert.Equal(all.Length, graph.Change(all, codes, threads, CancellationToken.None));
    }
}
