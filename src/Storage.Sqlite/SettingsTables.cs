using System.Collections.Frozen;
using System.Text.Json;

namespace Embeddings.Storage.Sqlite;

/// <summary>The tables of the settings of collections and of their aliases, since schema version 4.</summary>
internal static class SettingsTables
{
    /// <summary>Creates the tables.</summary>
    public static void Create(SqliteSession session) => SqliteSchema.Run(session.Connection, """
        CREATE TABLE IF NOT EXISTS collection_settings(
            collection INTEGER PRIMARY KEY, retention_seconds INTEGER, links INTEGER, build_candidates INTEGER, indexed TEXT);
        CREATE TABLE IF NOT EXISTS aliases(name TEXT PRIMARY KEY, collection INTEGER NOT NULL) WITHOUT ROWID;
        """);

    /// <summary>Loads settings and aliases of the collections of a catalog.</summary>
    public static void Load(SqliteSession session, Catalog catalog)
    {
        foreach (var index in catalog.All)
        {
            (index.Settings, index.IndexedAttributes) = Read(session, index.Key);
        }

        catalog.Aliases = Aliases(session);
    }

    /// <summary>Reads the settings of a collection.</summary>
    public static (CollectionSettings Settings, IReadOnlyList<IndexedAttribute> Indexed) Read(SqliteSession session, long collection)
    {
        using var row = session.Read(
            "SELECT retention_seconds, links, build_candidates, indexed FROM collection_settings WHERE collection = $1", collection);
        if (!row.Read())
        {
            return (CollectionSettings.None, IndexedAttribute.Read(null));
        }

        var settings = new CollectionSettings
        {
            Retention = row.IsDBNull(0) ? null : TimeSpan.FromSeconds(row.GetInt64(0)),
            ApproximateIndex = row.IsDBNull(1) ? null : new(row.GetInt32(1), row.GetInt32(2)),
        };
        return (settings, IndexedAttribute.Read(row.IsDBNull(3) ? null : row.GetString(3)));
    }

    /// <summary>Writes the settings of a collection.</summary>
    public static void Write(
        SqliteSession session, long collection, CollectionSettings settings, IReadOnlyList<IndexedAttribute> indexed) =>
        session.Execute(
            "INSERT OR REPLACE INTO collection_settings(collection, retention_seconds, links, build_candidates, indexed) "
            + "VALUES ($1, $2, $3, $4, $5)",
            collection,
            settings.Retention is { } retention ? (long)retention.TotalSeconds : DBNull.Value,
            settings.ApproximateIndex is { } graph ? (long)graph.Links : DBNull.Value,
            settings.ApproximateIndex is { } built ? (long)built.BuildCandidates : DBNull.Value,
            indexed.Count > 0 ? JsonSerializer.Serialize(indexed) : DBNull.Value);

    /// <summary>Reads all aliases with the names of their collections.</summary>
    public static IReadOnlyDictionary<string, string> Aliases(SqliteSession session)
    {
        var aliases = new Dictionary<string, string>(StringComparer.Ordinal);
        using var row = session.Read(
            "SELECT aliases.name, collections.name FROM aliases JOIN collections ON collections.id = aliases.collection");
        while (row.Read())
        {
            aliases.Add(row.GetString(0), row.GetString(1));
        }

        return aliases.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>Returns the key of a collection in the file; null if it does not exist.</summary>
    public static long? KeyOf(SqliteSession session, string collection) =>
        (long?)session.Scalar("SELECT id FROM collections WHERE name = $1", collection);

    /// <summary>ALREADY_EXISTS if an alias has the name.</summary>
    public static void RequireNoAlias(SqliteSession session, string collection)
    {
        if ((long)session.Scalar("SELECT count(*) FROM aliases WHERE name = $1", collection)! > 0)
        {
            throw AliasFaults.Exists(collection);
        }
    }

    /// <summary>Removes settings and aliases of a collection that is dropped.</summary>
    public static void Drop(WriteContext context, Catalog catalog, long collection)
    {
        context.Session.Execute("DELETE FROM collection_settings WHERE collection = $1", collection);
        if (context.Session.Execute("DELETE FROM aliases WHERE collection = $1", collection) > 0)
        {
            Publish(context, catalog);
        }
    }

    /// <summary>Makes the aliases as of now visible after the commit.</summary>
    public static void Publish(WriteContext context, Catalog catalog)
    {
        var aliases = Aliases(context.Session);
        context.AfterCommit(() => catalog.Aliases = aliases);
    }
}
