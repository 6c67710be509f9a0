using System.Text;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// The second step of a search: reads the vectors of the candidates from the file and computes their scores, as a scan over the vectors
/// of all rows would.
/// </summary>
/// <remarks>
/// Candidates are read in descending order of their upper bounds, until the next bound is below the worst hit: about twenty rows
/// of a million. If any row can be a hit (for example, because most vectors are equal), the table is read from its start to its end.
/// </remarks>
internal static class Rescoring
{
    /// <summary>The number of candidates of a query from which reading them takes more than some ten milliseconds.</summary>
    public const int ManyRows = 4096;

    /// <summary>Returns the hits of each query, best first, with the scores of the version that the session reads.</summary>
    /// <param name="session">A session for reading, whose transaction began after the scan.</param>
    /// <param name="plan">The search.</param>
    /// <param name="found">The candidates of each query.</param>
    public static Hit[][] Run(SqliteSession session, SearchPlan plan, CandidateRows[] found) => Run(session, plan, found, out _);

    /// <inheritdoc cref="Run(SqliteSession, SearchPlan, CandidateRows[])"/>
    /// <param name="session">A session for reading, whose transaction began after the scan.</param>
    /// <param name="plan">The search.</param>
    /// <param name="found">The candidates of each query.</param>
    /// <param name="isStale">
    /// True if candidates were deleted since, and there are now fewer hits than the limit: rows that the scan has ruled out may have
    /// taken their places.
    /// </param>
    public static Hit[][] Run(SqliteSession session, SearchPlan plan, CandidateRows[] found, out bool isStale)
    {
        isStale = false;
        using var scorer = new PointScorer(plan);
        var tops = new TopK[found.Length];
        var lookup = session.Statement($"SELECT id, vector FROM {plan.Index.Statements.Table} WHERE row = ?1");
        for (var q = 0; q < tops.Length; q++)
        {
            tops[q] = plan.NewTop(q);
            var gone = 0;
            foreach (var candidate in found[q].Items)
            {
                if (candidate.High < tops[q].Floor)
                {
                    break;
                }

                lookup.Bind(1, candidate.Row);
                try
                {
                    if (lookup.Step())
                    {
                        Offer(scorer, q, lookup, candidate.Row, tops[q]);
                    }
                    else
                    {
                        gone++;
                    }
                }
                finally
                {
                    lookup.Reset();
                }
            }

            isStale |= gone > 0 && tops[q].Count < plan.Limit;
        }

        int[] all = [.. Enumerable.Range(0, found.Length).Where(q => found[q].IsAll)];
        if (all.Length > 0)
        {
            ReadAll(session, plan, scorer, all, tops, found[all[0]].Selected);
        }

        return [.. tops.Select(static top => top.Take())];
    }

    private static void ReadAll(SqliteSession session, SearchPlan plan, PointScorer scorer, int[] queries, TopK[] tops, long[]? selected)
    {
        var table = plan.Index.Statements.Table;
        if (selected is not null)
        {
            var lookup = session.Statement($"SELECT id, vector FROM {table} WHERE row = ?1");
            foreach (var row in selected)
            {
                lookup.Bind(1, row);
                try
                {
                    if (lookup.Step())
                    {
                        OfferAll(lookup, row);
                    }
                }
                finally
                {
                    lookup.Reset();
                }
            }

            return;
        }

        var scan = session.Statement($"SELECT id, vector, row FROM {table} NOT INDEXED ORDER BY row");
        try
        {
            while (scan.Step())
            {
                OfferAll(scan, scan.Integer(2));
            }
        }
        finally
        {
            scan.Reset();
        }

        void OfferAll(PreparedStatement point, long row)
        {
            foreach (var q in queries)
            {
                Offer(scorer, q, point, row, tops[q]);
            }
        }
    }

    private static void Offer(PointScorer scorer, int query, PreparedStatement point, long row, TopK top)
    {
        // Most ids are not needed.
        if (scorer.Score(query, point.Bytes(1)) is { } score && score >= top.Floor)
        {
            top.Offer(score, row, Encoding.UTF8.GetString(point.Bytes(0)));
        }
    }
}
