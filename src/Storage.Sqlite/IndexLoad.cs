using System.Runtime.InteropServices;
using System.Text;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Reads all points of a collection from the database into its index, on all processors: checking and encoding take as long as reading.
/// </summary>
internal static class IndexLoad
{
    // Row numbers that a thread reads before it takes more.
    private const int RowsAtOnce = 4096;
    private const int BufferBytes = 2 << 20;

    /// <summary>Fills an empty index.</summary>
    /// <param name="session">A session without an open transaction.</param>
    /// <param name="index">The index.</param>
    /// <param name="damaged">Gets the rows with another checksum or an invalid vector, and their ids.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public static void Run(
        SqliteSession session, CollectionIndex index, Dictionary<long, string> damaged, CancellationToken cancellationToken)
    {
        var table = index.Statements.Table;
        if (session.Scalar($"SELECT min(row) FROM {table}") is not long first)
        {
            return;
        }

        var last = (long)session.Scalar($"SELECT max(row) FROM {table}")!;
        var next = first - RowsAtOnce;
        var workers = (int)Math.Min(Environment.ProcessorCount, ((last - first) / (4 * RowsAtOnce)) + 1);
        if (workers == 1)
        {
            Work(session);
            return;
        }

        var directory = Path.GetDirectoryName(session.Connection.DataSource)!;
        Task[] others =
        [
            .. Enumerable.Range(1, workers - 1).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    using var own = SqliteSchema.Open(directory, readOnly: true);
                    Work(own);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)),
        ];
        try
        {
            Work(session);
        }
        finally
        {
            Task.WhenAll(others).GetAwaiter().GetResult();
        }

        void Work(SqliteSession own)
        {
            var vector = new float[index.Dimension];
            var rows = new EncodedRows(Math.Clamp(BufferBytes / index.Vectors.CodeStride, 16, RowsAtOnce), index.Vectors.CodeStride);
            using var points = new PreparedStatement(
                own.Connection.Handle!,
                $"SELECT {PointChecksum.Columns}, row FROM {table} NOT INDEXED WHERE row BETWEEN ?1 AND ?2 ORDER BY row");
            for (long from; (from = Interlocked.Add(ref next, RowsAtOnce)) <= last;)
            {
                var isEmpty = true;
                points.Bind(1, from);
                points.Bind(2, from + RowsAtOnce - 1);
                while (points.Step())
                {
                    isEmpty = false;
                    cancellationToken.ThrowIfCancellationRequested();
                    var row = points.Integer(PointChecksum.RowColumn);
                    if (rows.IsFull)
                    {
                        Add(rows);
                    }

                    if (!TryRead(points, vector) || !rows.TryAdd(row, vector))
                    {
                        var id = Encoding.UTF8.GetString(points.Bytes(0));
                        lock (damaged)
                        {
                            damaged.Add(row, id);
                        }
                    }
                }

                points.Reset();
                Add(rows);
                if (isEmpty && !SkipGap(own, from))
                {
                    break;
                }
            }
        }

        void Add(EncodedRows rows)
        {
            lock (damaged)
            {
                index.Load(rows);
            }

            rows.Clear();
        }

        // Skips rows that were deleted. Returns false if no row follows.
        bool SkipGap(SqliteSession own, long from)
        {
            if (own.Scalar($"SELECT min(row) FROM {table} WHERE row > $1", from) is not long following)
            {
                return false;
            }

            for (var known = Volatile.Read(ref next); known < following - RowsAtOnce;)
            {
                var seen = Interlocked.CompareExchange(ref next, following - RowsAtOnce, known);
                known = seen == known ? long.MaxValue : seen;
            }

            return true;
        }
    }

    /// <summary>Reads the vector of a point. Returns false if the point is damaged.</summary>
    public static bool TryRead(PreparedStatement point, float[] vector)
    {
        var stored = point.Bytes(PointChecksum.VectorColumn);
        var bytes = MemoryMarshal.AsBytes(vector.AsSpan());
        return stored.Length == bytes.Length && PointChecksum.Holds(point) && stored.TryCopyTo(bytes);
    }
}
