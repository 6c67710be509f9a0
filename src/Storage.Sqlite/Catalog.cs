using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Data.Sqlite;
using static SQLitePCL.raw;

namespace Embeddings.Storage.Sqlite;

/// <summary>All collections. Any thread reads it; only the writer changes it.</summary>
internal sealed class Catalog : IDisposable
{
    private readonly ConcurrentDictionary<string, CollectionIndex> _collections = new(StringComparer.Ordinal);

    private IReadOnlyDictionary<string, string> _aliases = FrozenDictionary<string, string>.Empty;

    public IEnumerable<CollectionIndex> All => _collections.Values;

    public int Count => _collections.Count;

    public long TotalPoints => _collections.Sum(static pair => (long)pair.Value.Count);

    /// <summary>
    /// True if the table <c>damaged</c> has points, which deletions must also look for. Used by the writer only.
    /// </summary>
    public bool HasDamaged { get; private set; }

    /// <summary>The collections of all aliases, by the aliases; replaced as a whole.</summary>
    public IReadOnlyDictionary<string, string> Aliases
    {
        get => Volatile.Read(ref _aliases);
        set => Volatile.Write(ref _aliases, value);
    }

    public CollectionIndex? Find(string name) => _collections.GetValueOrDefault(name);

    public CollectionIndex Require(string name) => Find(name) ?? throw CollectionFaults.NotFound(name);

    /// <summary>Adds a collection, or updates its model.</summary>
    public CollectionIndex Set(long key, CollectionSpec spec)
    {
        var index = _collections.GetOrAdd(
            spec.Name,
            static (name, arg) => new CollectionIndex(arg.key, name, arg.spec.Dimension, arg.spec.Model),
            (key, spec));
        index.Model = spec.Model;
        return index;
    }

    /// <summary>Removes a dropped collection.</summary>
    public void Remove(CollectionIndex index)
    {
        if (_collections.TryRemove(KeyValuePair.Create(index.Name, index)))
        {
            index.Dispose();
        }
    }

    /// <summary>
    /// Loads all collections of a file into memory. A row with another checksum or an invalid vector (wrong length, not
    /// finite, all zero) neither prevents the start nor is lost: it moves to the table <c>damaged</c>, and a warning is
    /// logged.
    /// </summary>
    public void Load(SqliteSession session, IndexFiles files, ILogger logger, CancellationToken cancellationToken)
    {
        using (var reader = session.Read("SELECT id, name, dimension, model, fingerprint FROM collections"))
        {
            while (reader.Read())
            {
                var (key, spec) = Decode(reader);
                Set(key, spec);
            }
        }

        SettingsTables.Load(session, this);
        foreach (var index in All)
        {
            var damaged = Load(session, index, files, cancellationToken);
            if (damaged.Count > 0)
            {
                logger.PointsDamaged(index.Name, damaged.Count, IdDigest(damaged.Values.First()));
                TryMoveDamaged(session, index, damaged.Keys, logger);
            }

            var attributes = AttributeIndexes.List(session, index.Key);
            if (attributes.Count > 0)
            {
                index.SetAttributes(
                    attributes,
                    attributes.ToDictionary(static one => one.Id, one => AttributeIndexes.Load(session, index.Statements, one)));
            }
        }

        files.DeleteOthers(session, this);
        HasDamaged = (long)session.Scalar("SELECT EXISTS (SELECT 1 FROM damaged)")! == 1;
    }

    /// <summary>Records that the table <c>damaged</c> has points. Called by the writer only.</summary>
    public void FoundDamaged() => HasDamaged = true;

    public void Dispose()
    {
        foreach (var index in All)
        {
            index.Dispose();
        }
    }

    /// <summary>Decodes a row with the columns id, name, dimension, model and fingerprint.</summary>
    public static (long Key, CollectionSpec Spec) Decode(SqliteDataReader row)
    {
        var model = row.IsDBNull(4) ? null : new ModelStamp(row.GetString(3), row.GetString(4));
        return (row.GetInt64(0), new CollectionSpec(row.GetString(1), row.GetInt32(2), model));
    }

    private static Dictionary<long, string> Load(
        SqliteSession session, CollectionIndex index, IndexFiles files, CancellationToken cancellationToken)
    {
        var damaged = new Dictionary<long, string>();
        var vector = new float[index.Dimension];
        using var single = new PreparedStatement(
            session.Connection.Handle!, $"SELECT {PointChecksum.Columns}, row FROM {index.Statements.Table} WHERE row = ?1");
        if (!files.TryLoad(session, index, ReadSingle, cancellationToken))
        {
            damaged.Clear();
            IndexLoad.Run(session, index, damaged, cancellationToken);
        }

        index.NextRow = (session.Scalar($"SELECT max(row) FROM {index.Statements.Table}") as long? ?? 0) + 1;
        return damaged;

        void ReadSingle(long row)
        {
            single.Bind(1, row);
            if (single.Step() && !(IndexLoad.TryRead(single, vector) && index.Load(row, vector)))
            {
                damaged.Add(row, Encoding.UTF8.GetString(single.Bytes(0)));
            }

            single.Reset();
        }
    }

    // Ids can be personal data.
    public static string IdDigest(string id) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))[..12];

    private static void TryMoveDamaged(
        SqliteSession session, CollectionIndex index, IReadOnlyCollection<long> rows, ILogger logger)
    {
        try
        {
            try
            {
                MoveDamaged(session, index, rows);
            }
            catch (SqliteException exception) when (exception.SqliteErrorCode == SQLITE_CORRUPT)
            {
                // An id or a job_id has changed, and the index still has the old one.
                session.EndTransaction();
                session.Execute($"REINDEX {index.Statements.Table}");
                MoveDamaged(session, index, rows);
            }
        }
        catch (SqliteException exception)
        {
            // They are not in memory, so searches do not find them; the next start tries again.
            session.EndTransaction();
            logger.DamagedNotMoved(index.Name, exception.Message);
        }
    }

    private static void MoveDamaged(SqliteSession session, CollectionIndex index, IEnumerable<long> rows)
    {
        session.Execute("BEGIN IMMEDIATE");
        foreach (var row in rows)
        {
            MoveDamaged(session, index, row);
        }

        session.Execute("COMMIT");
    }

    /// <summary>Moves a row to the table <c>damaged</c>, within a transaction.</summary>
    public static void MoveDamaged(SqliteSession session, CollectionIndex index, long row)
    {
        session.Execute(
            $"INSERT INTO damaged(collection, row, {PointChecksum.Columns}) "
            + $"SELECT $1, row, {PointChecksum.Columns} FROM {index.Statements.Table} WHERE row = $2",
            index.Name,
            row);
        session.Execute(index.Statements.DeleteRow, row);
    }
}
