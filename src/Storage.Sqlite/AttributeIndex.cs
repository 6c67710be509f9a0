using System.Text;
using Microsoft.Data.Sqlite;

namespace Embeddings.Storage.Sqlite;

/// <summary>
/// An index of an attribute in the file: an index of SQLite over an expression, the function <see cref="SqliteSession.KeyFunction"/>. SQLite
/// itself keeps it equal to the points, whatever writes them, and removes what is deleted. The path is a literal of hexadecimal digits, which
/// needs no quotes.
/// </summary>
internal sealed class AttributeIndex
{
    public AttributeIndex(long id, IndexedAttribute attribute)
    {
        Id = id;
        Attribute = attribute;
        Names = [.. attribute.Path.Names.Select(Encoding.UTF8.GetBytes)];
        var path = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(attribute.Path.ToJson()));
        Expression = $"{SqliteSession.KeyFunction}(attributes, '{path}', {(int)attribute.Type})";
    }

    /// <summary>The key in the table <c>attribute_indexes</c>, which is never reused.</summary>
    public long Id { get; }

    public IndexedAttribute Attribute { get; }

    /// <summary>The names of the path, in UTF-8.</summary>
    public byte[][] Names { get; }

    /// <summary>
    /// The expression of the index: a BLOB with the text in UTF-8, or a REAL; NULL if the point has no value of the type.
    /// </summary>
    public string Expression { get; }

    public bool Supports(AttributeCondition condition) =>
        condition.Type == Attribute.Type && condition.Path.Equals(Attribute.Path);

    /// <summary>Returns the value of a point's attributes for this index: a string, a double, or null.</summary>
    public object? Read(byte[]? attributes) => AttributeReader.Read(attributes, Names, Attribute.Type);

    /// <summary>Parses the path of <see cref="Expression"/>.</summary>
    public static byte[][] NamesOf(string path) =>
        [.. AttributePath.FromJson(Encoding.UTF8.GetString(Convert.FromHexString(path))).Names.Select(Encoding.UTF8.GetBytes)];
}

/// <summary>The indexes of attributes in the file.</summary>
internal static class AttributeIndexes
{
    /// <summary>Creates the table that lists them, part of schema version 4.</summary>
    public static void CreateTable(SqliteSession session) => SqliteSchema.Run(
        session.Connection,
        """
        CREATE TABLE IF NOT EXISTS attribute_indexes(
            id INTEGER PRIMARY KEY AUTOINCREMENT, collection INTEGER NOT NULL, path TEXT NOT NULL, type INTEGER NOT NULL)
        """);

    /// <summary>Returns the indexes of a collection, in the order of their paths.</summary>
    public static IReadOnlyList<AttributeIndex> List(SqliteSession session, long collection)
    {
        var indexes = new List<AttributeIndex>();
        using var reader = session.Read("SELECT id, path, type FROM attribute_indexes WHERE collection = $1", collection);
        while (reader.Read())
        {
            var path = AttributePath.FromJson(reader.GetString(1));
            indexes.Add(new AttributeIndex(reader.GetInt64(0), new IndexedAttribute(path, (AttributeType)reader.GetInt32(2))));
        }

        return
        [
            .. indexes.OrderBy(static index => index.Attribute.Path.ToJson(), StringComparer.Ordinal)
                .ThenBy(static index => index.Attribute.Type),
        ];
    }

    /// <summary>Adds an index and fills it.</summary>
    public static void Create(SqliteSession session, PointStatements points, long collection, IndexedAttribute attribute)
    {
        session.Execute(
            "INSERT INTO attribute_indexes(collection, path, type) VALUES ($1, $2, $3)",
            collection,
            attribute.Path.ToJson(),
            (int)attribute.Type);
        var index = new AttributeIndex((long)session.Scalar("SELECT last_insert_rowid()")!, attribute);
        SqliteSchema.Run(session.Connection, $"CREATE INDEX {Name(points, index)} ON {points.Table}({index.Expression})");
    }

    public static void Drop(SqliteSession session, PointStatements points, AttributeIndex index)
    {
        SqliteSchema.Run(session.Connection, $"DROP INDEX {Name(points, index)}");
        session.Execute("DELETE FROM attribute_indexes WHERE id = $1", index.Id);
    }

    /// <summary>Forgets the indexes of a collection whose table is dropped.</summary>
    public static void Forget(SqliteSession session, long collection) =>
        session.Execute("DELETE FROM attribute_indexes WHERE collection = $1", collection);

    /// <summary>Reads the values of an index, with the rows of the points.</summary>
    public static IEnumerable<(long Row, object Value)> Values(SqliteSession session, PointStatements points, AttributeIndex index)
    {
        // A range of all values, which SQLite reads from the index alone.
        var least = index.Attribute.Type == AttributeType.Text ? "x''" : "-9e999";
        using var statement = new PreparedStatement(
            session.Connection.Handle!,
            $"SELECT row, {index.Expression} FROM {points.Table} INDEXED BY {Name(points, index)} WHERE {index.Expression} >= {least}");
        while (statement.Step())
        {
            yield return (
                statement.Integer(0),
                index.Attribute.Type == AttributeType.Text ? Encoding.UTF8.GetString(statement.Bytes(1)) : statement.Real(1));
        }
    }

    /// <summary>Reads the values of an index at the start; builds it again if it is damaged.</summary>
    public static List<(long Row, object Value)> Load(SqliteSession session, PointStatements points, AttributeIndex index)
    {
        try
        {
            return [.. Values(session, points, index)];
        }
        catch (SqliteException exception) when (SqliteFaults.IsCorrupt(exception))
        {
            session.Execute($"REINDEX {Name(points, index)}");
            return [.. Values(session, points, index)];
        }
    }

    private static string Name(PointStatements points, AttributeIndex index) => $"{points.Table}_attribute_{index.Id}";
}

/// <summary>Creates and removes indexes of attributes, in the file and in memory.</summary>
internal sealed class SetIndexedAttributesRequest(
    CollectionIndex index,
    IReadOnlyList<IndexedAttribute> add,
    IReadOnlyList<IndexedAttribute> remove,
    CancellationToken cancellationToken)
    : WriteRequest(0, cancellationToken)
{
    protected override long Execute(WriteContext context)
    {
        var session = context.Session;
        var existing = AttributeIndexes.List(session, index.Key);
        var wanted = IndexedAttribute.Change(existing.Select(static one => one.Attribute), add, remove);
        IndexedAttribute.RequireFew(wanted);
        var dropped = existing.Where(one => !wanted.Contains(one.Attribute)).ToList();
        var created = wanted.Except(existing.Select(static one => one.Attribute)).ToList();
        if (dropped.Count + created.Count == 0)
        {
            return 0;
        }

        foreach (var one in dropped)
        {
            AttributeIndexes.Drop(session, index.Statements, one);
            context.ErasedInFile();
        }

        foreach (var attribute in created)
        {
            AttributeIndexes.Create(session, index.Statements, index.Key, attribute);
        }

        var all = AttributeIndexes.List(session, index.Key);
        var values = all
            .Where(one => created.Contains(one.Attribute))
            .ToDictionary(static one => one.Id, one => AttributeIndexes.Values(session, index.Statements, one).ToList());
        // Points that were written before in this transaction are not yet in memory; they get their values with their vectors.
        context.AfterCommit(() => index.SetAttributes(all, values));
        return dropped.Count + created.Count;
    }
}
