using System.Numerics;
using System.Runtime.CompilerServices;
using Embeddings.Primitives.Numerics;

namespace Embeddings.Core.Faces;

/// <summary>
/// Finds the most similar partners of groups: every pair is compared, in blocks that stay in the cache of a core, on threads
/// of its own, since the thread pool must not be busy for seconds. The result does not depend on their timing.
/// </summary>
/// <param name="groups">The groups.</param>
/// <param name="candidates">Gets the partners.</param>
/// <param name="minimum">The minimum similarity of partners.</param>
/// <param name="threads">The number of threads.</param>
internal sealed unsafe class ClusteringComparison(
    ClusteringGroups groups, ClusteringCandidates candidates, float minimum, int threads)
{
    // 64 rows of 512 dimensions are 128 KiB: together with as many queries they fit into the L2 cache.
    private const int BlockRows = 64;
    private const int Locks = 1024;

    private readonly Lock[] _locks = [.. Enumerable.Range(0, Locks).Select(_ => new Lock())];

    /// <summary>
    /// Fills the lists of the first nodes, the queries, with their partners among all nodes. Each pair of queries is
    /// compared once.
    /// </summary>
    /// <param name="nodes">Roots of groups: the queries, then the others.</param>
    /// <param name="queries">The number of queries.</param>
    /// <param name="amongQueries">False if queries are only compared with the others.</param>
    /// <param name="compared">Called with the number of queries whenever some are complete, on any thread.</param>
    /// <param name="cancellationToken">Cancels the comparison.</param>
    public void Run(int[] nodes, int queries, bool amongQueries, Action<int>? compared, CancellationToken cancellationToken)
    {
        var floors = new float[nodes.Length];
        // Others get no partners.
        Array.Fill(floors, float.PositiveInfinity, queries, nodes.Length - queries);
        for (var i = 0; i < queries; i++)
        {
            floors[i] = minimum;
            candidates.Clear(nodes[i]);
        }
        var pass = new Pass(nodes, [.. nodes.Select(groups.Mean)], floors, queries, amongQueries);
        var blocks = (queries + BlockRows - 1) / BlockRows;
        var next = -1;
        Exception? failure = null;
        var workers = Math.Clamp(threads, 1, Math.Max(1, blocks));
        Thread[] others = [.. Enumerable.Range(1, workers - 1).Select(_ => new Thread(Work) { IsBackground = true, Name = "face clustering" })];
        Array.ForEach(others, thread => thread.Start());
        Work();
        Array.ForEach(others, thread => thread.Join());
        cancellationToken.ThrowIfCancellationRequested();
        if (failure is not null)
        {
            throw new InvalidOperationException("A thread of the clustering failed.", failure);
        }
        for (var i = 0; i < queries; i++)
        {
            candidates.Seal(nodes[i]);
        }

        void Work()
        {
            try
            {
                using var rows = AlignedBuffer.ZeroedFloats(BlockRows * groups.Stride);
                var scores = new float[BlockRows * BlockRows];
                while (Interlocked.Increment(ref next) is var block && block < blocks && !cancellationToken.IsCancellationRequested)
                {
                    var first = block * BlockRows;
                    var count = Math.Min(BlockRows, queries - first);
                    Compare(pass, first, count, rows.Floats, scores, cancellationToken);
                    compared?.Invoke(count);
                }
            }
            catch (Exception exception)
            {
                failure = exception;
                Volatile.Write(ref next, blocks);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Compare(Pass pass, int first, int count, float* queries, float[] scores, CancellationToken cancellationToken)
    {
        for (var i = 0; i < count; i++)
        {
            new ReadOnlySpan<float>((float*)pass.Rows[first + i], groups.Stride)
                .CopyTo(new Span<float>(queries + ((nint)i * groups.Stride), groups.Stride));
        }
        var start = pass.AmongQueries ? first : pass.Queries;
        for (var row = start; row < pass.Rows.Length && !cancellationToken.IsCancellationRequested; row += BlockRows)
        {
            var rows = Math.Min(BlockRows, pass.Rows.Length - row);
            DotProducts.Compute(pass.Rows.AsSpan(row, rows), queries, count, groups.Stride, scores);
            for (var i = 0; i < count; i++)
            {
                Harvest(pass, first + i, row, scores.AsSpan(i * rows, rows));
            }
        }
    }

    private void Harvest(Pass pass, int query, int row, ReadOnlySpan<float> scores)
    {
        // A query is compared with those after it.
        var i = Math.Max(0, query + 1 - row);
        var floors = pass.Floors.AsSpan(row, scores.Length);
        while (i < scores.Length)
        {
            if (i + Vector<float>.Count <= scores.Length)
            {
                var least = Vector.Min(new Vector<float>(pass.Floors[query]), new Vector<float>(floors[i..]));
                if (!Vector.GreaterThanOrEqualAny(new Vector<float>(scores[i..]), least))
                {
                    i += Vector<float>.Count;
                    continue;
                }
            }
            var end = Math.Min(i + Vector<float>.Count, scores.Length);
            for (; i < end; i++)
            {
                Offer(pass, query, row + i, scores[i]);
            }
        }
    }

    private void Offer(Pass pass, int query, int row, float similarity)
    {
        var (forQuery, forRow) = (similarity >= pass.Floors[query], similarity >= pass.Floors[row]);
        if ((!forQuery && !forRow) || groups.Conflict(pass.Nodes[query], pass.Nodes[row]))
        {
            return;
        }
        if (forQuery)
        {
            Add(pass, query, row, similarity);
        }
        if (forRow)
        {
            Add(pass, row, query, similarity);
        }
    }

    private void Add(Pass pass, int query, int row, float similarity)
    {
        var partner = pass.Nodes[row];
        lock (_locks[query % Locks])
        {
            var floor = candidates.Add(pass.Nodes[query], new(partner, groups.Version(partner), similarity));
            pass.Floors[query] = Math.Max(minimum, floor);
        }
    }

    /// <summary>One comparison of all pairs.</summary>
    /// <param name="Nodes">The nodes.</param>
    /// <param name="Rows">The addresses of their mean vectors.</param>
    /// <param name="Floors">The similarity below which a node takes no partner; grows while the lists are filled.</param>
    /// <param name="Queries">The number of queries.</param>
    /// <param name="AmongQueries">True if queries are compared with each other.</param>
    private sealed record Pass(int[] Nodes, nint[] Rows, float[] Floors, int Queries, bool AmongQueries);
}
