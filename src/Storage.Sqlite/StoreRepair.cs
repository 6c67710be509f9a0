using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Embeddings.Primitives;
using Embeddings.Primitives.Numerics;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>Result of checking one collection.</summary>
/// <param name="Name">The name of the collection.</param>
/// <param name="Points">The number of points read.</param>
/// <param name="WithoutChecksum">The number of points without a checksum, of a store that is not upgraded yet.</param>
/// <param name="Damaged">The ids of the points whose checksum or vector is wrong.</param>
internal sealed record CollectionCheck(string Name, long Points, long WithoutChecksum, IReadOnlyList<string> Damaged);

/// <summary>Result of checking a store.</summary>
/// <param name="Collections">The collections.</param>
/// <param name="Problems">The damage that SQLite reports, one sentence each.</param>
/// <param name="SetAside">The number of points that servers found damaged at their start and moved aside.</param>
internal sealed record StoreCheck(IReadOnlyList<CollectionCheck> Collections, IReadOnlyList<string> Problems, long SetAside)
{
    public bool IsSound => Problems.Count == 0 && Collections.All(static collection => collection.Damaged.Count == 0);
}

/// <summary>Result of salvaging one collection.</summary>
/// <param name="Name">The name of the collection.</param>
/// <param name="Saved">The number of points saved.</param>
/// <param name="Lost">
/// The lost points that are known: their ids, or their row numbers if the ids cannot be read.
/// </param>
/// <param name="IsComplete">False if parts of the table cannot be read, so that more points may be lost.</param>
internal sealed record CollectionSalvage(string Name, long Saved, IReadOnlyList<string> Lost, bool IsComplete);

/// <summary>Checks the file of a store without a server, and saves what is readable of a damaged one.</summary>
internal sealed class StoreRepair : IDisposable
{
    private const int MaxProblems = 20;
    private const int BatchPoints = 500;

    private readonly DirectoryLock _directory;
    private readonly SqliteSession _session;

    private StoreRepair(DirectoryLock directory, SqliteSession session)
    {
        _directory = directory;
        _session = session;
    }

    private SQLitePCL.sqlite3 Handle => _session.Connection.Handle!;

    /// <summary>Opens a store that no server uses. UNAVAILABLE if there is none or it cannot be opened.</summary>
    public static StoreRepair Open(string directory)
    {
        var path = SqliteSchema.PathIn(directory);
        if (Directory.Exists(directory))
        {
            StoreIdentity.Require(directory);
        }

        if (!File.Exists(path))
        {
            throw Unavailable($"There is no store in '{directory}'.", null);
        }

        var locked = DirectoryLock.Take(directory);
        SqliteSession? session = null;
        try
        {
            session = SqliteSchema.Open(directory, readOnly: false);
            if (SqliteSchema.VersionOf(session) is var version and > SqliteSchema.Version)
            {
                throw Unavailable($"'{path}' has schema version {version}; use a newer version of this program.", null);
            }

            return new StoreRepair(locked, session);
        }
        catch (Exception exception)
        {
            session?.Dispose();
            locked.Dispose();
            throw exception is SqliteException
                ? Unavailable($"'{path}' cannot be opened: {exception.Message}", exception)
                : exception;
        }
    }

    /// <summary>Reads everything, and changes nothing.</summary>
    public StoreCheck Verify(CancellationToken cancellationToken)
    {
        var problems = Integrity();
        var collections = new List<CollectionCheck>();
        var setAside = 0L;
        try
        {
            collections.AddRange(Collections().Select(collection => Verify(collection, problems, cancellationToken)));
            setAside = (long)_session.Scalar("SELECT count(*) FROM damaged")!;
        }
        catch (SqliteException exception)
        {
            problems.Add($"The list of collections cannot be read: {exception.Message}");
        }

        return new StoreCheck(collections, problems, setAside);
    }

    /// <summary>
    /// Rewrites the file, so that it holds nothing but the content of its tables, and returns its size before and after, bytes.
    /// UNAVAILABLE if that fails; the file is then unchanged.
    /// </summary>
    /// <param name="dropDamaged">True to delete the points that servers found damaged and moved aside.</param>
    public (long Before, long After) Compact(bool dropDamaged)
    {
        var before = Bytes();
        try
        {
            while (DroppedTables.EraseSome(_session) > 0)
            {
            }

            if (dropDamaged)
            {
                _session.Execute("DELETE FROM damaged");
            }

            // They may have rows that were deleted; the server writes them again.
            IndexFileSchema.RemoveAll(_session);
            foreach (var path in IndexFile.In(Path.GetDirectoryName(_session.Connection.DataSource) is { Length: > 0 } folder ? folder : "."))
            {
                File.Delete(path);
            }

            // The copy that it makes can be as large as the file.
            SqliteSchema.Run(_session.Connection, "PRAGMA temp_store = FILE");
            SqliteSchema.Run(_session.Connection, "VACUUM");
            if (SqliteSchema.VersionOf(_session) == SqliteSchema.Version)
            {
                SqliteSchema.SetFact(_session, Facts.Erasing, 0);
            }

            if ((long)_session.Scalar("PRAGMA wal_checkpoint(TRUNCATE)")! != 0)
            {
                throw Unavailable("The log could not be emptied; another program reads the store.", null);
            }
        }
        catch (SqliteException exception)
        {
            throw Unavailable($"The store cannot be compacted: {exception.Message}", exception);
        }

        return (before, Bytes());

        long Bytes()
        {
            var path = SqliteSchema.PathIn(Path.GetDirectoryName(_session.Connection.DataSource) ?? ".");
            return new FileInfo(path).Length + (new FileInfo(path + "-wal") is { Exists: true } log ? log.Length : 0);
        }
    }

    /// <summary>
    /// Writes the points that can be read and have the right checksum to another store. UNAVAILABLE if the list of
    /// collections cannot be read.
    /// </summary>
    /// <param name="target">The store to write to.</param>
    /// <param name="report">Called after each collection.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    public async Task SalvageAsync(
        IVectorStore target, Action<CollectionSalvage> report, CancellationToken cancellationToken)
    {
        List<(long Key, CollectionSpec Spec)> collections;
        try
        {
            collections = Collections();
        }
        catch (SqliteException exception)
        {
            throw Unavailable($"The list of collections cannot be read: {exception.Message}", exception);
        }

        foreach (var (key, spec) in collections)
        {
            await target.EnsureCollectionAsync(spec, cancellationToken);
            await SalvageSettingsAsync(key, spec.Name, target, cancellationToken);
            report(await SalvageAsync(key, spec, target, cancellationToken));
        }

        await SalvageAliasesAsync(target, cancellationToken);
    }

    private bool HasSettings => SqliteSchema.VersionOf(_session) >= 4;

    // Settings that cannot be read are lost; the points are not.
    private async Task SalvageSettingsAsync(long key, string name, IVectorStore target, CancellationToken cancellationToken)
    {
        await target.SetIndexedAttributesAsync(name, IndexedAttributes(key), [], cancellationToken);
        CollectionSettings settings;
        try
        {
            settings = HasSettings ? SettingsTables.Read(_session, key) : CollectionSettings.None;
        }
        catch (SqliteException)
        {
            return;
        }

        await target.UpdateSettingsAsync(
            name, new() { Retention = settings.Retention, ApproximateIndex = settings.ApproximateIndex }, cancellationToken);
    }

    private async Task SalvageAliasesAsync(IVectorStore target, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, string> aliases;
        try
        {
            aliases = HasSettings ? SettingsTables.Aliases(_session) : new Dictionary<string, string>();
        }
        catch (SqliteException)
        {
            return;
        }

        if (aliases.Count > 0)
        {
            await target.UpdateAliasesAsync(
                [.. aliases.Select(static alias => new CollectionAlias(alias.Key, alias.Value))], [], cancellationToken);
        }
    }

    public void Dispose()
    {
        _session.Dispose();
        _directory.Dispose();
    }

    private static Fault Unavailable(string message, Exception? inner) =>
        new(FaultKind.Unavailable, Reasons.StoreUnavailable, message, inner: inner);

    private List<string> Integrity()
    {
        var problems = new List<string>();
        try
        {
            using var reader = _session.Read($"PRAGMA integrity_check({MaxProblems})");
            while (reader.Read())
            {
                if (reader.GetString(0) is var problem and not "ok")
                {
                    problems.Add(problem.ReplaceLineEndings(" "));
                }
            }
        }
        catch (SqliteException exception)
        {
            problems.Add(exception.Message);
        }

        return problems;
    }

    private List<(long Key, CollectionSpec Spec)> Collections()
    {
        var collections = new List<(long, CollectionSpec)>();
        using var reader = _session.Read("SELECT id, name, dimension, model, fingerprint FROM collections ORDER BY name");
        while (reader.Read())
        {
            collections.Add(Catalog.Decode(reader));
        }

        return collections;
    }

    // A store of an earlier schema version has no table of them. They can be set again if it cannot be read.
    private IReadOnlyList<IndexedAttribute> IndexedAttributes(long key)
    {
        try
        {
            return [.. AttributeIndexes.List(_session, key).Select(static index => index.Attribute)];
        }
        catch (SqliteException)
        {
            return [];
        }
    }

    private CollectionCheck Verify(
        (long Key, CollectionSpec Spec) collection, List<string> problems, CancellationToken cancellationToken)
    {
        var points = 0L;
        var withoutChecksum = 0L;
        var damaged = new List<string>();
        try
        {
            var table = new PointStatements(collection.Key).Table;
            using var rows = new PreparedStatement(Handle, $"SELECT {ColumnsOf(table)}, row FROM {table} ORDER BY row");
            while (rows.Step())
            {
                cancellationToken.ThrowIfCancellationRequested();
                points++;
                withoutChecksum += rows.IsNull(PointChecksum.ChecksumColumn) ? 1 : 0;
                if (!IsSound(rows, collection.Spec.Dimension))
                {
                    damaged.Add(Encoding.UTF8.GetString(rows.Bytes(0)));
                }
            }
        }
        catch (SqliteException exception)
        {
            problems.Add($"Collection '{collection.Spec.Name}' can be read only in part: {exception.Message}");
        }

        return new CollectionCheck(collection.Spec.Name, points, withoutChecksum, damaged);
    }

    private async Task<CollectionSalvage> SalvageAsync(
        long key, CollectionSpec spec, IVectorStore target, CancellationToken cancellationToken)
    {
        var table = new PointStatements(key).Table;
        var (rows, isComplete) = Rows(table);
        var lost = new List<string>();
        var saved = 0L;
        using var select = new PreparedStatement(Handle, $"SELECT {ColumnsOf(table)} FROM {table} WHERE row = ?1");
        foreach (var batch in rows.Chunk(BatchPoints))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var points = new List<StoredPoint>();
            foreach (var row in batch)
            {
                if (Read(select, table, row, spec.Dimension, lost) is { } point)
                {
                    points.Add(point);
                }
            }

            await target.UpsertAsync(spec.Name, points, cancellationToken);
            saved += points.Count;
        }

        return new CollectionSalvage(spec.Name, saved, lost, isComplete);
    }

    /// <summary>
    /// The row numbers. If a page of the table is damaged, a scan from each end and the indexes, which have pages of
    /// their own, still find the rows of the others.
    /// </summary>
    private (SortedSet<long> Rows, bool IsComplete) Rows(string table)
    {
        var rows = new SortedSet<long>();
        if (TryScan($"SELECT row FROM {table} NOT INDEXED ORDER BY row", rows))
        {
            return (rows, true);
        }

        TryScan($"SELECT row FROM {table} NOT INDEXED ORDER BY row DESC", rows);
        var isComplete = TryScan($"SELECT row FROM {table} INDEXED BY {table}_job WHERE job_id >= ''", rows);
        isComplete |= TryScan($"SELECT row FROM {table} INDEXED BY {table}_media WHERE media_store_id >= ''", rows);
        return (rows, isComplete);
    }

    private bool TryScan(string sql, SortedSet<long> rows)
    {
        try
        {
            using var statement = new PreparedStatement(Handle, sql);
            while (statement.Step())
            {
                rows.Add(statement.Integer(0));
            }

            return true;
        }
        catch (SqliteException)
        {
            return false;
        }
    }

    private StoredPoint? Read(PreparedStatement select, string table, long row, int dimension, List<string> lost)
    {
        var name = $"row {row}";
        try
        {
            select.Bind(1, row);
            if (select.Step())
            {
                name = Encoding.UTF8.GetString(select.Bytes(0));
                if (IsSound(select, dimension))
                {
                    using var reader = _session.Read($"SELECT {ColumnsOf(table)} FROM {table} WHERE row = $1", row);
                    reader.Read();
                    return PointCodec.Decode(reader, withPayload: true, withVector: true);
                }
            }
        }
        catch (Exception exception) when (exception is SqliteException or JsonException)
        {
            // Lost.
        }
        finally
        {
            select.Reset();
        }

        lost.Add(name);
        return null;
    }

    /// <summary>Returns whether the row that the statement is at has the right checksum and a valid vector.</summary>
    public static bool IsSound(PreparedStatement row, int dimension)
    {
        var bytes = row.Bytes(PointChecksum.VectorColumn);
        if (bytes.Length != dimension * sizeof(float) || !PointChecksum.Holds(row))
        {
            return false;
        }

        var vector = MemoryMarshal.Cast<byte, float>(bytes);
        return VectorMath.IsFinite(vector) && !VectorMath.IsZero(vector);
    }

    // A store of an earlier schema version lacks columns until a server has opened it.
    private string ColumnsOf(string table)
    {
        var existing = new HashSet<string>(StringComparer.Ordinal);
        using var reader = _session.Read($"SELECT name FROM pragma_table_info('{table}')");
        while (reader.Read())
        {
            existing.Add(reader.GetString(0));
        }

        return string.Join(", ", PointChecksum.Columns.Split(", ").Select(name => existing.Contains(name) ? name : "NULL"));
    }
}
