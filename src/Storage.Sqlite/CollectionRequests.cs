using System.Text.Json.Nodes;
using Embeddings.Primitives;

namespace Embeddings.Storage.Sqlite;

/// <summary>Creates a collection with its settings.</summary>
internal sealed class CreateCollectionRequest(
    Catalog catalog,
    CollectionSpec spec,
    CollectionSettings settings,
    IReadOnlyList<IndexedAttribute> indexed,
    int maxCollections,
    CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var session = context.Session;
        if (SettingsTables.KeyOf(session, spec.Name) is not null)
        {
            throw CollectionFaults.Exists(spec.Name);
        }

        SettingsTables.RequireNoAlias(session, spec.Name);
        EnsureCollectionRequest.RequireRoom((long)session.Scalar("SELECT count(*) FROM collections")!, maxCollections);
        session.Execute(
            "INSERT INTO collections(name, dimension, model, fingerprint) VALUES ($1, $2, $3, $4)",
            spec.Name,
            spec.Dimension,
            spec.Model?.Name ?? (object)DBNull.Value,
            spec.Model?.Fingerprint ?? (object)DBNull.Value);
        var key = (long)session.Scalar("SELECT last_insert_rowid()")!;
        SqliteSchema.CreatePoints(session, key);
        SettingsTables.Write(session, key, settings);
        var points = new PointStatements(key);
        foreach (var attribute in indexed)
        {
            AttributeIndexes.Create(session, points, key, attribute);
        }

        var indexes = AttributeIndexes.List(session, key);
        context.AfterCommit(() =>
        {
            var index = catalog.Set(key, spec);
            index.Settings = settings;
            index.SetAttributes(indexes, new Dictionary<long, List<(long Row, object Value)>>());
        });
        return 0;
    }
}

/// <summary>Changes the settings of a collection.</summary>
internal sealed class UpdateSettingsRequest(
    CollectionIndex index,
    Func<CollectionSettings, CollectionSettings> change,
    CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        // Another request of this transaction may have dropped the collection.
        if (SettingsTables.KeyOf(context.Session, index.Name) != index.Key)
        {
            throw CollectionFaults.NotFound(index.Name);
        }

        // Read from the file: another request of this transaction may have changed them.
        var settings = change(SettingsTables.Read(context.Session, index.Key));
        SettingsTables.Write(context.Session, index.Key, settings);
        context.AfterCommit(() => index.Settings = settings);
        return 0;
    }
}

/// <summary>Creates, moves, and deletes aliases.</summary>
internal sealed class UpdateAliasesRequest(
    Catalog catalog,
    IReadOnlyList<CollectionAlias> set,
    IReadOnlyList<string> delete,
    int maxAliases,
    CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var session = context.Session;
        foreach (var alias in delete)
        {
            if (session.Execute("DELETE FROM aliases WHERE name = $1", alias) == 0)
            {
                throw AliasFaults.NotFound(alias);
            }
        }

        foreach (var (alias, collection) in set)
        {
            var key = SettingsTables.KeyOf(session, collection) ?? throw CollectionFaults.NotFound(collection);
            if (SettingsTables.KeyOf(session, alias) is not null)
            {
                throw AliasFaults.IsCollection(alias);
            }

            session.Execute("INSERT OR REPLACE INTO aliases(name, collection) VALUES ($1, $2)", alias, key);
        }

        if (set.Count > 0 && (long)session.Scalar("SELECT count(*) FROM aliases")! is var count && count > maxAliases)
        {
            throw new Fault(
                FaultKind.ResourceExhausted,
                Reasons.StoreFull,
                $"The store must not hold more than {maxAliases} aliases; it would hold {count}. Delete aliases, or raise "
                + "Store:Embedded:MaxCollections.",
                "set")
                .With(FaultKeys.Limit, maxAliases)
                .With(FaultKeys.Actual, count)
                .With(FaultKeys.Setting, "Store:Embedded:MaxCollections");
        }

        SettingsTables.Publish(context, catalog);
        return 0;
    }
}

/// <summary>
/// Changes the attributes of some of the points that match, in the order of row numbers. Several requests, one after the other,
/// change all of them, so that other writes do not wait for long.
/// </summary>
/// <param name="index">The collection.</param>
/// <param name="filter">The filter.</param>
/// <param name="change">The change.</param>
/// <param name="after">The last row of the request before.</param>
/// <param name="last">The last row of all requests; null in the first one, which finds it.</param>
/// <param name="cancellationToken">Drops the request.</param>
internal sealed class UpdateMatchingRequest(
    CollectionIndex index,
    PointFilter filter,
    Func<StoredPoint, JsonObject?> change,
    long after,
    long? last,
    CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    // Some ten milliseconds.
    private const int PointsAtOnce = 1000;

    /// <summary>The last row that was read; valid after the completion.</summary>
    public long After { get; private set; }

    /// <summary>The last row of all requests; valid after the completion.</summary>
    public long Last { get; private set; }

    /// <summary>True if no more points match; valid after the completion.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Returns the number of points that matched.</summary>
    protected override long Execute(WriteContext context)
    {
        var table = index.Statements.Table;
        var session = context.Session;
        var end = last ?? (long)session.Scalar($"SELECT coalesce(max(row), 0) FROM {table}")!;
        var points = new List<StoredPoint>();
        var read = after;
        using (var command = FilterSql.Command(
            session,
            $"SELECT {PointCodec.Columns}, vector, row FROM {table}",
            filter,
            "row > $after AND row <= $last",
            "ORDER BY row LIMIT $limit"))
        {
            command.Parameters.AddWithValue("$after", after);
            command.Parameters.AddWithValue("$last", end);
            command.Parameters.AddWithValue("$limit", (long)PointsAtOnce);
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                points.Add(PointCodec.Decode(reader, withPayload: true, withVector: true));
                read = reader.GetInt64(PointCodec.Count + 1);
            }
        }

        foreach (var point in points)
        {
            UpdateAttributesRequest.Change(context, index, point, change);
        }

        (After, Last, IsDone) = (read, end, points.Count < PointsAtOnce);
        return points.Count;
    }
}

/// <summary>Creates the index of an ordered listing.</summary>
internal sealed class CreateOrderIndexRequest(CollectionIndex index, string column, CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var table = index.Statements.Table;
        context.Session.Execute($"CREATE INDEX IF NOT EXISTS {table}_by_{column} ON {table}({column}, id)");
        return 0;
    }
}
