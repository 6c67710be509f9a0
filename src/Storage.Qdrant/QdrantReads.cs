using System.Buffers.Binary;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Gets, counts and lists points.</summary>
internal sealed class QdrantReads(QdrantCalls calls)
{
    public async Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        var found = await FetchAsync(
            collection, [PointIds.Of(id)], withPayload: true, withVectors: true, cancellationToken);
        return found.Count == 0
            ? null
            : PointMapper.ToStored(found[0].Id, found[0].Payload, found[0].Vectors, withPayload: true);
    }

    /// <summary>Returns the points that exist, in no particular order.</summary>
    public async Task<IReadOnlyList<RetrievedPoint>> FetchAsync(
        string collection, IEnumerable<Guid> ids, bool withPayload, bool withVectors, CancellationToken cancellationToken)
    {
        var get = new GetPoints
        {
            CollectionName = collection,
            Ids = { ids.Select(id => (PointId)id) },
            WithPayload = withPayload ? true : PointMapper.IdOnly,
            WithVectors = withVectors,
        };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, collection, (client, call) => client.Points.GetAsync(get, call), cancellationToken);
        return reply.Result;
    }

    public async Task<long> CountAsync(CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var count = new CountPoints
        {
            CollectionName = name,
            Filter = QdrantFilters.ToFilter(filter, state.ReservedIds),
            Exact = true,
        };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, name, (client, call) => client.Points.CountAsync(count, call), cancellationToken);
        return (long)reply.Result.Count;
    }

    public async Task<PointPage> ListAsync(
        CollectionState state,
        PointFilter filter,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        var name = state.Info.Name;
        var scroll = new ScrollPoints
        {
            CollectionName = name,
            Filter = QdrantFilters.ToFilter(filter, state.ReservedIds),
            Limit = (uint)pageSize,
            Offset = Position(PageToken.Decode(name, pageToken)),
            WithPayload = true,
            WithVectors = withVectors,
        };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, name, (client, call) => client.Points.ScrollAsync(scroll, call), cancellationToken);
        return new(
            [.. reply.Result.Select(point => PointMapper.ToStored(point.Id, point.Payload, point.Vectors, true))],
            reply.NextPageOffset is { } next ? PageToken.Encode(name, Position(next)) : "");
    }

    /// <summary>Returns the ids that exist.</summary>
    public async Task<List<Guid>> ExistingAsync(
        string collection, IReadOnlyList<Guid> ids, CancellationToken cancellationToken)
    {
        var get = new GetPoints
        {
            CollectionName = collection,
            Ids = { ids.Select(id => (PointId)id) },
            WithPayload = false,
            WithVectors = false,
        };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, collection, (client, call) => client.Points.GetAsync(get, call), cancellationToken);
        return [.. reply.Result.Where(point => point.Id.HasUuid).Select(point => Guid.Parse(point.Id.Uuid))];
    }

    // A position is a UUID of 16 bytes or a number of 8 bytes.
    private static byte[] Position(PointId next)
    {
        if (!next.HasNum)
        {
            return Guid.Parse(next.Uuid).ToByteArray(bigEndian: true);
        }
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, next.Num);
        return bytes;
    }

    private static PointId? Position(byte[]? position) => position?.Length switch
    {
        null => null,
        sizeof(ulong) => new() { Num = BinaryPrimitives.ReadUInt64BigEndian(position) },
        _ => new() { Uuid = new Guid(position, bigEndian: true).ToString() },
    };
}
