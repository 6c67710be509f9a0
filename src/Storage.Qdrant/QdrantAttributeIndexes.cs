using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// The payload indexes of indexed attributes: one for values, and one for the items of lists, which filters exclude. The list of them is in
/// the metadata of the collection.
/// </summary>
internal sealed class QdrantAttributeIndexes(QdrantCalls calls, FilterIndexes indexes, CollectionCatalog catalog)
{
    private const string PathKey = "path";
    private const string TypeKey = "type";

    /// <summary>Reads the list from the metadata of a collection.</summary>
    public static IReadOnlyList<IndexedAttribute> Read(IDictionary<string, Value> metadata) =>
        metadata.TryGetValue(PayloadKeys.IndexedAttributes, out var list) && list.ListValue is { Values.Count: > 0 } some
            ? [.. some.Values.Select(Read).OfType<IndexedAttribute>()]
            : [];

    public async Task SetAsync(
        string collection,
        IReadOnlyList<IndexedAttribute> add,
        IReadOnlyList<IndexedAttribute> remove,
        CancellationToken cancellationToken)
    {
        catalog.Forget(collection);
        var state = await catalog.RequireAsync(collection, cancellationToken);
        var existing = state.Info.IndexedAttributes;
        var wanted = IndexedAttribute.Change(existing, add, remove);
        IndexedAttribute.RequireFew(wanted);
        if (wanted.SequenceEqual(existing))
        {
            return;
        }
        RequireSupport(state, wanted);
        foreach (var attribute in existing.Except(wanted))
        {
            foreach (var path in Paths(attribute))
            {
                await indexes.DropAsync(state, path, cancellationToken);
            }
        }
        foreach (var attribute in wanted.Except(existing))
        {
            foreach (var path in Paths(attribute))
            {
                await indexes.SetAsync(state, path, TypeOf(attribute.Type), cancellationToken);
            }
        }
        // Last: what is in the list has an index.
        var update = new UpdateCollection { CollectionName = collection };
        update.Metadata[PayloadKeys.IndexedAttributes] = new Value { ListValue = new() { Values = { wanted.Select(Write) } } };
        await calls.RunAsync(
            QdrantCallKind.Manage, collection, (client, call) => client.Collections.UpdateAsync(update, call), cancellationToken);
        catalog.Forget(collection);
    }

    private static void RequireSupport(CollectionState state, IReadOnlyList<IndexedAttribute> wanted)
    {
        if (!state.HasMetadata)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.IndexConflict,
                $"Collection '{state.Info.Name}' cannot have indexed attributes: it has no metadata. Use Qdrant 1.16 or newer and copy "
                + "the collection ('embeddings store copy').")
                .With(FaultKeys.Collection, state.Info.Name);
        }
        if (wanted.GroupBy(attribute => Paths(attribute)[0]).FirstOrDefault(group => group.Skip(1).Any()) is { } several)
        {
            throw new Fault(
                FaultKind.FailedPrecondition,
                Reasons.IndexConflict,
                $"Qdrant keeps one index per attribute; '{several.First().Path}' would have {string.Join(" and ", several.Select(one => one.Type.ToString().ToLowerInvariant()))}. "
                + "Remove one of them.",
                "indexed_attributes")
                .With(FaultKeys.Collection, state.Info.Name);
        }
    }

    /// <summary>Returns the paths of the payload indexes of an indexed attribute.</summary>
    public static string[] Paths(IndexedAttribute attribute)
    {
        var path = AttributeKeys.Path(attribute.Path);
        return attribute.Type == AttributeType.Time ? [StoredTimes.Path(attribute.Path)] : [path, path + "[]"];
    }

    private static FieldType TypeOf(AttributeType type) => type switch
    {
        AttributeType.Text => FieldType.Keyword,
        AttributeType.Number => FieldType.Float,
        AttributeType.Flag => FieldType.Bool,
        _ => FieldType.Integer,
    };

    private static Value Write(IndexedAttribute attribute) => new()
    {
        StructValue = new() { Fields = { [PathKey] = attribute.Path.ToJson(), [TypeKey] = attribute.Type.ToString().ToLowerInvariant() } },
    };

    private static IndexedAttribute? Read(Value value) =>
        value.StructValue is { } entry
        && entry.Fields.TryGetValue(PathKey, out var path)
        && entry.Fields.TryGetValue(TypeKey, out var type)
        && Enum.TryParse<AttributeType>(type.StringValue, ignoreCase: true, out var known)
            ? new(AttributePath.FromJson(path.StringValue), known)
            : null;
}
