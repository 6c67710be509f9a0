using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Reads of points by id, page or count.</summary>
internal sealed class QdrantReads(QdrantCalls calls)
{
    public async Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        var found = await FetchAsync(collection, [PointIds.Of(id)], withPayload: true, withVectors: true, cancellationToken);
        return found.Count == 0 ? null : PointReader.Read(found[0].Id, found[0].Payload, found[0].Vectors, withPayload: true);
    }

    /// <summary>Those of the ids that are there, in no order.</summary>
    public async Task<IReadOnlyList<RetrievedPoint>> FetchAsync(
        string collection, IEnumerable<Guid> ids, bool withPayload, bool withVectors, CancellationToken cancellationToken)
    {
        var get = new GetPoints
        {
            CollectionName = collection,
            Ids = { ids.Select(id => (PointId)id) },
            WithPayload = withPayload ? true : PointReader.NameOnly,
            WithVectors = withVectors,
        };
        var reply = await calls.RunAsync(QdrantCallKind.Read, collection, async (client, call) => await client.Points.GetAsync(get, call), cancellationToken);
        return reply.Result;
    }

    public async Task<long> CountAsync(CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var count = new CountPoints { CollectionName = name, Filter = QdrantFilters.ToFilter(filter, state.NotUsers), Exact = true };
        var reply = await calls.RunAsync(QdrantCallKind.Read, name, async (client, call) => await client.Points.CountAsync(count, call), cancellationToken);
        return (long)reply.Result.Count;
    }

    public async Task<PointPage> ListAsync(
        CollectionState state, PointFilter filter, int pageSize, string pageToken, bool withVectors, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        var name = state.Info.Name;
        var scroll = new ScrollPoints
        {
            CollectionName = name,
            Filter = QdrantFilters.ToFilter(filter, state.NotUsers),
            Limit = (uint)pageSize,
            Offset = QdrantPageToken.Read(pageToken, name),
            WithPayload = true,
            WithVectors = withVectors,
        };
        var reply = await calls.RunAsync(QdrantCallKind.Read, name, async (client, call) => await client.Points.ScrollAsync(scroll, call), cancellationToken);
        return new(
            [.. reply.Result.Select(point => PointReader.Read(point.Id, point.Payload, point.Vectors, withPayload: true))],
            reply.NextPageOffset is { } next ? QdrantPageToken.Make(name, next) : "");
    }

    /// <summary>Of the ids, those that are there.</summary>
    public async Task<List<Guid>> ExistingAsync(string collection, IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        var get = new GetPoints { CollectionName = collection, Ids = { ids.Select(id => (PointId)id) }, WithPayload = false, WithVectors = false };
        var reply = await calls.RunAsync(QdrantCallKind.Read, collection, async (client, call) => await client.Points.GetAsync(get, call), cancellationToken);
        return [.. reply.Result.Where(point => point.Id.HasUuid).Select(point => Guid.Parse(point.Id.Uuid))];
    }
}
