using System.Text;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// Groups the hits of a search, exactly: 1. The best hits of all queries, from one pass, are grouped; the keys of groups are
/// read from the file only for as many hits as are needed. 2. If these hits have too few groups, the keys of all points are
/// read, and all points are compared again. If they have all groups and only points of some are missing, this is done for the
/// points of these groups alone, which the file finds by an index.
/// </summary>
internal sealed class GroupedSearch(EmbeddedEngine engine, SearchPlan plan, SearchSpec spec)
{
    private const int MinFirstHits = 1000;
    private const int MaxFirstHits = 1 << 16;
    private const int SlotsPerCheck = 4096;

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
        Members? all = null;
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
                    all ??= await engine.Readers.RunAsync(ReadAll, cancellationToken);
                    builder = await SearchAsync(all, query, spec.Offset, spec.Limit, cancellationToken);
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

    /// <summary>Reads the groups of all points that match the filter.</summary>
    private Members ReadAll(SqliteSession session)
    {
        var members = new Members();
        using var command = FilterSql.Command(session, $"SELECT row, {Column ?? "attributes"} FROM {Table}", spec.Filter);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            members.Add(reader.GetInt64(0), KeyOf(reader, 1));
        }

        return members;
    }

    /// <summary>Adds the points of the groups that have fewer than they may.</summary>
    private async Task CompleteAsync(GroupBuilder<Hit> builder, int query, CancellationToken cancellationToken)
    {
        List<PointGroup<Hit>> open = [.. builder.Groups.Where(builder.IsOpen)];
        var members = await engine.Readers.RunAsync(
            session =>
            {
                var found = new Members();
                foreach (var group in open)
                {
                    using var command = FilterSql.Command(
                        session, $"SELECT row FROM {Table}", spec.Filter, $"{Column} = CAST($key AS TEXT)");
                    command.Parameters.AddWithValue("$key", Encoding.UTF8.GetBytes(group.Key!.Value.Text!));
                    using var reader = command.ExecuteReader();
                    while (reader.Read())
                    {
                        found.Add(reader.GetInt64(0), group.Key);
                    }
                }

                return found;
            },
            cancellationToken);
        var scored = await SearchAsync(members, query, 0, open.Count, cancellationToken);
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

    private Task<GroupBuilder<Hit>> SearchAsync(
        Members members, int query, int offset, int limit, CancellationToken cancellationToken) =>
        engine.Search.RunAsync(
            () => Search(members, query, spec with { Offset = offset, Limit = limit }, cancellationToken), cancellationToken);

    /// <summary>Compares a query with all members and returns its best groups.</summary>
    private GroupBuilder<Hit> Search(Members members, int query, SearchSpec wanted, CancellationToken cancellationToken)
    {
        var index = plan.Index;
        // Held for the whole search, as in a scan: the slots of points would change.
        index.Gate.EnterReadLock();
        try
        {
            // The best score of each group, and the slot of that point. The order of hits decides between equal scores.
            var slots = new int[members.Count];
            var scores = new float[members.Count];
            var best = new int[members.GroupCount];
            Array.Fill(best, -1);
            for (var i = 0; i < members.Count; i++)
            {
                if (i % SlotsPerCheck == 0)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                }

                slots[i] = -1;
                if (!index.TrySlot(members.Row(i), out var slot) || plan.Excluded[query]?.Contains(index.Id(slot)) is true)
                {
                    continue;
                }

                var score = plan.Score(query, index.Vectors.Span(slot));
                if (score < spec.ScoreThreshold)
                {
                    continue;
                }

                slots[i] = slot;
                scores[i] = score;
                var group = members.Group(i);
                if (best[group] < 0 || HitAt(i).CompareTo(HitAt(best[group])) > 0)
                {
                    best[group] = i;
                }
            }

            var top = new PriorityQueue<int, Hit>();
            for (var group = 0; group < best.Length; group++)
            {
                if (best[group] >= 0)
                {
                    top.Enqueue(group, HitAt(best[group]));
                    if (top.Count > wanted.Offset + wanted.Limit)
                    {
                        top.Dequeue();
                    }
                }
            }

            var chosen = new HashSet<int>(top.UnorderedItems.Select(static item => item.Element));
            var hits = new List<(Hit Hit, int Group)>();
            for (var i = 0; i < members.Count; i++)
            {
                if (slots[i] >= 0 && chosen.Contains(members.Group(i)) && (_by.Size > 1 || best[members.Group(i)] == i))
                {
                    hits.Add((HitAt(i), members.Group(i)));
                }
            }

            var builder = new GroupBuilder<Hit>(wanted);
            foreach (var (hit, group) in hits.OrderByDescending(static entry => entry.Hit))
            {
                builder.Add(members.KeyOf(group), hit);
            }

            return builder;

            Hit HitAt(int i) => new(scores[i], index.Row(slots[i]), index.Id(slots[i]));
        }
        finally
        {
            index.Gate.ExitReadLock();
        }
    }

    /// <summary>Row numbers with the numbers of their groups.</summary>
    private sealed class Members
    {
        private readonly List<long> _rows = [];
        private readonly List<int> _groups = [];
        private readonly List<GroupKey?> _keys = [];
        private readonly Dictionary<GroupKey, int> _byKey = [];

        public int Count => _rows.Count;

        public int GroupCount => _keys.Count;

        public void Add(long row, GroupKey? key)
        {
            var group = _keys.Count;
            if (key is null || _byKey.TryAdd(key.Value, group))
            {
                _keys.Add(key);
            }
            else
            {
                group = _byKey[key.Value];
            }

            _rows.Add(row);
            _groups.Add(group);
        }

        public long Row(int i) => _rows[i];

        public int Group(int i) => _groups[i];

        public GroupKey? KeyOf(int group) => _keys[group];
    }
}
