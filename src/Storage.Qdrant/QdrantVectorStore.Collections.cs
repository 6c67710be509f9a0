using System.Text.Json;
using System.Text.Json.Nodes;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <content>Settings, aliases, and operations on several points.</content>
internal sealed partial class QdrantVectorStore
{
    public async Task CreateCollectionAsync(
        CollectionSpec spec,
        CollectionSettings settings,
        IReadOnlyList<IndexedAttribute> indexed,
        CancellationToken cancellationToken)
    {
        RequireStarted();
        RequireNoGraph(settings.ApproximateIndex);
        await RequireNoAliasAsync(spec.Name, cancellationToken);
        await _catalog.CreateAsync(spec, settings, IndexedAttribute.Change([], indexed, []), cancellationToken);
        await CreateIndexesAsync(spec.Name, indexed, cancellationToken);
    }

    public Task<CollectionInfo?> ReadCollectionAsync(string collection, CancellationToken cancellationToken)
    {
        RequireStarted();
        return CountedAsync(collection, cancellationToken);
    }

    public async Task UpdateSettingsAsync(string collection, SettingsChange change, CancellationToken cancellationToken)
    {
        RequireNoGraph(change.ApproximateIndex);
        var state = await RequireAsync(collection, cancellationToken);
        if (change.RemoveRetention || change.Retention is not null)
        {
            RequireMetadata(state);
            var seconds = change.RemoveRetention ? 0 : (long)change.Retention!.Value.TotalSeconds;
            await _admin.SetMetadataAsync(collection, PayloadKeys.Retention, seconds, cancellationToken);
            _catalog.Forget(collection);
        }
    }

    public async Task SetIndexedAttributesAsync(
        string collection,
        IReadOnlyList<IndexedAttribute> add,
        IReadOnlyList<IndexedAttribute> remove,
        CancellationToken cancellationToken)
    {
        // Not from the cache: another server may have changed the list.
        _catalog.Forget(collection);
        var state = await RequireAsync(collection, cancellationToken);
        RequireMetadata(state);
        var indexed = IndexedAttribute.Change(state.Info.IndexedAttributes, add, remove);
        await CreateIndexesAsync(collection, add, cancellationToken);
        await _admin.SetMetadataAsync(
            collection, PayloadKeys.Indexed, indexed.Count > 0 ? JsonSerializer.Serialize(indexed) : "", cancellationToken);
        _catalog.Forget(collection);
    }

    public ValueTask<IReadOnlyDictionary<string, string>> AliasesAsync(CancellationToken cancellationToken)
    {
        RequireStarted();
        return _aliases.GetAsync(cancellationToken);
    }

    public Task UpdateAliasesAsync(
        IReadOnlyList<CollectionAlias> set, IReadOnlyList<string> delete, CancellationToken cancellationToken)
    {
        RequireStarted();
        return _aliases.UpdateAsync(set, delete, cancellationToken);
    }

    public async Task<IReadOnlyList<StoredPoint>> GetAsync(
        string collection,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease,
        CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection,
            state => _listings.FetchAsync(state, ids, withPayload, withVectors, lease, cancellationToken),
            cancellationToken);
    }

    public async Task<long> UpdateAttributesAsync(
        string collection,
        PointFilter filter,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        return await OnAsync(
            collection, state => _updates.UpdateAsync(state, filter, change, cancellationToken), cancellationToken);
    }

    public async Task<PointPage> ListAsync(
        string collection,
        PointFilter filter,
        PointOrder order,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        return await OnAsync(
            collection,
            state => _listings.ListAsync(state, filter, order, pageSize, pageToken, withVectors, cancellationToken),
            cancellationToken);
    }

    private static void RequireMetadata(CollectionState state)
    {
        if (!state.HasMetadata)
        {
            throw CollectionCatalog.SettingsUnsupported(state.Info.Name);
        }
    }

    private static void RequireNoGraph(ApproximateIndexSettings? graph)
    {
        if (graph is not null)
        {
            throw AliasFaults.ApproximateIndexUnsupported();
        }
    }

    // Qdrant would take the name of an alias for that of its collection.
    private async ValueTask EnsureUncachedAsync(CollectionSpec spec, CancellationToken cancellationToken)
    {
        await RequireNoAliasAsync(spec.Name, cancellationToken);
        await _catalog.EnsureAsync(spec, cancellationToken);
    }

    private async Task RequireNoAliasAsync(string name, CancellationToken cancellationToken)
    {
        if ((await _aliases.GetAsync(cancellationToken)).ContainsKey(name))
        {
            throw AliasFaults.Exists(name);
        }
    }

    private async Task CreateIndexesAsync(
        string collection, IReadOnlyList<IndexedAttribute> indexed, CancellationToken cancellationToken)
    {
        foreach (var attribute in indexed)
        {
            await _admin.CreateIndexAsync(
                collection,
                OrderedField.PathOf(attribute.Path),
                attribute.Type switch
                {
                    AttributeType.Number => FieldType.Float,
                    AttributeType.Flag => FieldType.Bool,
                    AttributeType.Time => FieldType.Datetime,
                    _ => FieldType.Keyword,
                },
                cancellationToken);
        }
    }
}
