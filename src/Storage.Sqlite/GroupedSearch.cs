using System.Text;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Groups the hits of a search, exactly: 1. The best hits of all queries, from one pass, are grouped; the keys of groups are
/// read from the file only for as many hits as are needed. 2. If these hits have too few groups, all points are read from the file and
/// compared. If they have all groups and only points of some are missing, this is done for the
/// points of these groups alone, which the file finds by an index.
/// </summary>
internal sealed class GroupedSearch(EmbeddedEngine engine, SearchPlan plan, SearchSpec spec)
{
    private const int MinFirstHits = 1000;
    private const int MaxFirstHits = 1 << 16;
    private const int RowsPerCheck = 4096;

    private readonly GroupSpec _by = spec.GroupBy!;

    private string Table => plan.Index.Statements.Table;

    // The fields with an index in the file.
    private string? Column => _by.Field switch
    {
        GroupField.MediaStoreId => "media_store_id",
        GroupField.JobId => "job_id",
        _ => null,
    };

    /// <summary>The number of hits per query of the first pass.</summary>
    public static int FirstHits(SearchSpec spec) =>
        (int)Math.Clamp(8L * (spec.Offset + spec.Limit) * spec.GroupBy!.Size, MinFirstHits, MaxFirstHits);

    /// <summary>Returns the hits of the groups of each query, best first.</summary>
    /// <param name="first">The hits of the first pass.</param>
    /// <param name="bytesPerHit">The least size of a hit in the response.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
    public async Task<Hit[][]> RunAsync(Hit[][] first, long bytesPerHit, CancellationToken cancellationToken)
    {
        var builders = await engine.Lookups.RunAsync(session => Group(session, first), cancellationToken);
        var results = new Hit[first.Length][];
        var count = 0L;
        for (var query = 0; query < results.Length; query++)
        {
            var builder = builders[query];
            if (first[query].Length == plan.Limit && !builder.IsComplete)
            {
                if (builder.HasAllGroups && Column is not null)
                {
                    await CompleteAsync(builder, query, cancellationToken);
                }
                else
                {
                    builder = await SearchAllAsync(query, cancellationToken);
                }
            }

            results[query] = [.. builder.Groups.SelectMany(static group => group.Points).OrderDescending()];
            count += results[query].Length;
            spec.Lease?.Require(count, bytesPerHit);
        }

        return results;
    }

    private GroupBuilder<Hit>[] Group(SqliteSession session, Hit[][] hits)
    {
        using var command = session.Connection.CreateCommand();
        command.CommandText = $"SELECT {Column ?? "attributes"} FROM {Table} WHERE row = $row";
        var row = command.Parameters.Add("$row", SqliteType.Integer);
        // Queries often have hits in common.
        var known = new Dictionary<long, (bool Exists, GroupKey? Key)>();
        return Array.ConvertAll(hits, Group);

        GroupBuilder<Hit> Group(Hit[] found)
        {
            var builder = new GroupBuilder<Hit>(spec);
            foreach (var hit in found)
            {
                if (builder.IsComplete)
                {
                    break;
                }

                if (!known.TryGetValue(hit.Row, out var key))
                {
                    known.Add(hit.Row, key = Read(hit.Row));
                }

                if (key.Exists)
                {
                    builder.Add(key.Key, hit);
                }
            }

            return builder;
        }

        // A point that was deleted in between has no key.
        (bool Exists, GroupKey? Key) Read(long number)
        {
            row.Value = number;
            using var reader = command.ExecuteReader();
            return reader.Read() ? (true, KeyOf(reader, 0)) : default;
        }
    }

    private GroupKey? KeyOf(SqliteDataReader reader, int column) =>
        Column is not null ? GroupSpec.KeyOf(PointCodec.Text(reader, column))
        : reader.IsDBNull(column) ? null
        : _by.KeyOf(PointCodec.Attributes(reader, column));

    /// <summary>Adds the points of the groups that have fewer than they may.</summary>
    private async Task CompleteAsync(GroupBuilder<Hit> builder, int query, CancellationToken cancellationToken)
    {
        List<PointGroup<Hit>> open = [.. builder.Groups.Where(builder.IsOpen)];
        var scored = await engine.Readers.RunAsync(
            session =>
            {
                var members = new Members(spec);
                using var scorer = new PointScorer(plan);
                foreach (var group in open)
                {
                    Read(session, members, scorer, query, group.Key!.Value.Text!, cancellationToken);
                }

                return members.Best(spec with { Offset = 0, Limit = open.Count });
            },
            cancellationToken);
        var byKey = scored.Groups.ToDictionary(static group => group.Key!.Value);
        foreach (var group in open)
        {
            // All points of a group may have been deleted in between.
            if (byKey.TryGetValue(group.Key!.Value, out var complete))
            {
                group.Points.Clear();
                group.Points.AddRange(complete.Points);
            }
        }
    }

    /// <summary>Compares a query with all points that match the filter.</summary>
    private Task<GroupBuilder<Hit>> SearchAllAsync(int query, CancellationToken cancellationToken) => engine.Readers.RunAsync(
        session =>
        {
            var members = new Members(spec);
            using var scorer = new PointScorer(plan);
            Read(session, members, scorer, query, null, cancellationToken);
            return members.Best(spec);
        },
        cancellationToken);

    /// <summary>Reads points from the file and adds those that can be hits.</summary>
    /// <param name="session">A session for reading.</param>
    /// <param name="members">Gets the points.</param>
    /// <param name="scorer">Computes their scores.</param>
    /// <param name="query">The query.</param>
    /// <param name="only">The key of the group to read, which has a column; null for all.</param>
    /// <param name="cancellationToken">Cancels the search.</param>
    private void Read(
        SqliteSession session, Members members, PointScorer scorer, int query, string? only, CancellationToken cancellationToken)
    {
        using var command = FilterSql.Command(
            session,
            $"SELECT row, {Column ?? "attributes"}, id, vector FROM {Table}",
            spec.Filter,
            only is null ? "" : $"{Column} = CAST($key AS TEXT)",
            indexes: plan.Index.Attributes.Indexes);
        if (only is not null)
        {
            command.Parameters.AddWithValue("$key", Encoding.UTF8.GetBytes(only));
        }

        using var reader = command.ExecuteReader();
        for (var i = 0; reader.Read(); i++)
        {
            if (i % RowsPerCheck == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (scorer.Score(query, reader.GetFieldValue<byte[]>(3)) is not { } score || score < spec.ScoreThreshold)
            {
                continue;
            }

            var id = PointCodec.Text(reader, 2);
            if (plan.Excluded[query]?.Contains(id) is not true)
            {
                members.Add(new Hit(score, reader.GetInt64(0), id), KeyOf(reader, 1));
            }
        }
    }

    /// <summary>The best points of each group, at most as many as are returned.</summary>
    private sealed class Members(SearchSpec spec)
    {
        private readonly Dictionary<GroupKey, TopK> _byKey = [];

        // Each is a group of its own, so that no more of them can be returned.
        private readonly TopK _alone = new(spec.Offset + spec.Limit, null, null);

        /// <summary>Adds a point.</summary>
        public void Add(Hit hit, GroupKey? key)
        {
            var top = _alone;
            if (key is { } shared && !_byKey.TryGetValue(shared, out top))
            {
                _byKey.Add(shared, top = new TopK(spec.GroupBy!.Size, null, null));
            }

            top.Offer(hit.Score, hit.Row, hit.Id);
        }

        /// <summary>Returns the best groups.</summary>
        public GroupBuilder<Hit> Best(SearchSpec wanted)
        {
            var builder = new GroupBuilder<Hit>(wanted);
            var hits = _byKey.SelectMany(static group => group.Value.Take().Select(hit => ((GroupKey?)group.Key, Hit: hit)))
                .Concat(_alone.Take().Select(static hit => ((GroupKey?)null, Hit: hit)));
            foreach (var (key, hit) in hits.OrderByDescending(static entry => entry.Hit))
            {
                builder.Add(key, hit);
            }

            return builder;
        }
    }
}
