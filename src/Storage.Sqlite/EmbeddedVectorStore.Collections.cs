using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Embeddings.Primitives;
using Embeddings.Storage.Sqlite.Approximate;

namespace Embeddings.Storage.Sqlite;

/// <content>Settings, aliases, and operations on several points.</content>
internal sealed partial class EmbeddedVectorStore
{
    // Of collections that exist or existed since the start, by their keys, which are not reused.
    private readonly ConcurrentDictionary<(long Collection, OrderField Field), bool> _orderIndexes = new();

    public async Task CreateCollectionAsync(
        CollectionSpec spec,
        CollectionSettings settings,
        IReadOnlyList<IndexedAttribute> indexed,
        CancellationToken cancellationToken)
    {
        var engine = Engine;
        spec.RequireDimension(options.MaxDimension, "Store:Embedded:MaxDimension", "dimension");
        IndexedAttribute.RequireFew(indexed);
        Indexer.RequireSupported(settings.ApproximateIndex, spec.Dimension);
        await engine.Writer.WriteAsync(
            new CreateCollectionRequest(
                engine.Catalog,
                spec,
                settings,
                IndexedAttribute.Change([], indexed, []),
                options.MaxCollections,
                cancellationToken),
            cancellationToken);
        UseApproximateIndex(engine, spec.Name);
    }

    public Task<CollectionInfo?> ReadCollectionAsync(string collection, CancellationToken cancellationToken)
    {
        var index = Engine.Catalog.Find(collection);
        return Task.FromResult(index is null ? null : index.Info with { ApproximateIndex = index.Approximate?.State });
    }

    public async Task UpdateSettingsAsync(string collection, SettingsChange change, CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        Indexer.RequireSupported(change.ApproximateIndex, index.Dimension);
        await engine.Writer.WriteAsync(new UpdateSettingsRequest(index, change.Apply, cancellationToken), cancellationToken);
        UseApproximateIndex(engine, collection);
    }

    public ValueTask<IReadOnlyDictionary<string, string>> AliasesAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult(Engine.Catalog.Aliases);

    public Task UpdateAliasesAsync(
        IReadOnlyList<CollectionAlias> set, IReadOnlyList<string> delete, CancellationToken cancellationToken)
    {
        var engine = Engine;
        return engine.Writer.WriteAsync(
            new UpdateAliasesRequest(engine.Catalog, set, delete, options.MaxCollections, cancellationToken), cancellationToken);
    }

    public Task<IReadOnlyList<StoredPoint>> GetAsync(
        string collection,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease,
        CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        return engine.Lookups.RunAsync(
            session => PointQueries.FindAll(session, index, ids, withPayload, withVectors, lease), cancellationToken);
    }

    public async Task<long> UpdateAttributesAsync(
        string collection,
        PointFilter filter,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        var matched = 0L;
        var (after, last) = (0L, (long?)null);
        while (true)
        {
            var request = new UpdateMatchingRequest(index, filter, change, after, last, cancellationToken);
            matched += await engine.Writer.WriteAsync(request, cancellationToken);
            if (request.IsDone)
            {
                return matched;
            }

            (after, last) = (request.After, request.Last);
        }
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
        var engine = Engine;
        var index = engine.Catalog.Require(collection);
        if (order.Attribute is { } attribute && !index.Attributes.Attributes.Contains(attribute))
        {
            throw CollectionFaults.NotIndexed(collection, attribute.Path);
        }

        var listing = new OrderedListing(index, filter, order);
        var position = PageToken.Decode(listing.Name, pageToken) is { } bytes ? OrderPosition.FromBytes(bytes) : (OrderPosition?)null;
        await EnsureOrderIndexAsync(engine, index, listing, cancellationToken);
        return await engine.Readers.RunAsync(
            session => listing.Page(session, position, pageSize, withVectors), cancellationToken);
    }

    // Without an index, each page would read all points. It is built by the first such listing, because it costs time with every
    // write afterwards.
    private async Task EnsureOrderIndexAsync(
        EmbeddedEngine engine, CollectionIndex index, OrderedListing listing, CancellationToken cancellationToken)
    {
        var key = (index.Key, listing.Order.Field);
        if (listing.IndexedColumn is not { } column || _orderIndexes.ContainsKey(key))
        {
            return;
        }

        try
        {
            await engine.Writer.WriteAsync(new CreateOrderIndexRequest(index, column, cancellationToken), cancellationToken);
            _orderIndexes[key] = true;
        }
        catch (Fault fault) when (fault.Kind == FaultKind.Unavailable)
        {
            // On a full disk, the listing is slower.
        }
    }

    // Not by the writer: a large collection takes some time.
    private static void UseApproximateIndex(EmbeddedEngine engine, string collection)
    {
        if (engine.Catalog.Find(collection) is { } index)
        {
            engine.Indexer.Set(index, index.Settings.ApproximateIndex);
        }
    }
}
