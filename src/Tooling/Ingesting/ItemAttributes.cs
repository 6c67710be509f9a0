using Google.Protobuf.WellKnownTypes;

namespace Embeddings.Tooling.Ingesting;

/// <summary>
/// Attributes that an ingest adds to its items. Those of a line of an item list have precedence, then <paramref name="Common"/>,
/// then the person and the path.
/// </summary>
/// <param name="Common">Attributes of all items.</param>
/// <param name="WithPerson">
/// Whether the first folder of an item's path becomes its <c>person</c>. An item without a folder gets none.
/// </param>
/// <param name="WithPath">Whether the file's path, as the user gave it, becomes the attribute <c>path</c>.</param>
internal sealed record ItemAttributes(Struct Common, bool WithPerson, bool WithPath)
{
    public const string Person = "person";
    public const string Path = "path";

    /// <summary>Returns the attributes of an item, or null if there are none.</summary>
    /// <param name="item">The item; its line is valid.</param>
    /// <param name="own">Attributes of its line, or null.</param>
    public Struct? For(IngestItem item, Struct? own)
    {
        var all = new Struct();
        if (WithPath)
        {
            all.Fields[Path] = Value.ForString(item.Given);
        }
        if (WithPerson && FirstFolder(item.Line!.Path) is { } person)
        {
            all.Fields[Person] = Value.ForString(person);
        }
        all.MergeFrom(Common);
        if (own is not null)
        {
            all.MergeFrom(own);
        }
        return all.Fields.Count > 0 ? all : null;
    }

    private static string? FirstFolder(string path)
    {
        var end = path.IndexOfAny(['/', System.IO.Path.DirectorySeparatorChar]);
        return end > 0 ? path[..end] : null;
    }
}
