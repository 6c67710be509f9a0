using System.Buffers.Binary;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>Gets, counts and lists points.</summary>
internal sealed class QdrantReads(QdrantCalls calls, FilterIndexes indexes, ReplySize replySize)
{
    private const int CountedPerCall = 10_000;
    private const int IdsPerPage = 1000;

    public async Task<StoredPoint?> GetAsync(string collection, string id, CancellationToken cancellationToken)
    {
        var found = await FetchAsync(
            collection, [(PointId)PointIds.Of(id)], withPayload: true, withVectors: true, cancellationToken);
        return found.Count == 0
            ? null
            : PointMapper.ToStored(found[0].Id, found[0].Payload, found[0].Vectors, withPayload: true);
    }

    /// <summary>Returns the points that exist, in no particular order.</summary>
    public async Task<IReadOnlyList<RetrievedPoint>> FetchAsync(
        string collection, IEnumerable<PointId> ids, bool withPayload, bool withVectors, CancellationToken cancellationToken)
    {
        var get = new GetPoints
        {
            CollectionName = collection,
            Ids = { ids },
            WithPayload = withPayload ? true : PointMapper.IdOnly,
            WithVectors = withVectors,
        };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, collection, (client, call) => client.Points.GetAsync(get, call), cancellationToken);
        return reply.Result;
    }

    public async Task<long> CountAsync(CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        if (!state.Limits.AllowsExact)
        {
            return await CountPagesAsync(state, filter, cancellationToken);
        }
        var name = state.Info.Name;
        var count = new CountPoints
        {
            CollectionName = name,
            Filter = QdrantFilters.ToFilter(filter, state.ReservedIds),
            Exact = true,
        };
        var reply = await indexes.RunAsync(
            state,
            count.Filter,
            () => calls.RunAsync(
                QdrantCallKind.Read, name, (client, call) => client.Points.CountAsync(count, call), cancellationToken),
            cancellationToken);
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
        var points = new List<StoredPoint>();
        var bytes = 0L;
        var next = Position(PageToken.Decode(name, pageToken));
        do
        {
            var part = Math.Min(replySize.Points(withVectors ? state.Info.Dimension : 0), state.Limits.MaxQueryLimit);
            var scroll = new ScrollPoints
            {
                CollectionName = name,
                Filter = QdrantFilters.ToFilter(filter, state.ReservedIds),
                Limit = (uint)Math.Min(part, pageSize - points.Count),
                Offset = next,
                WithPayload = true,
                WithVectors = withVectors,
            };
            var reply = await ScrollAsync(state, scroll, cancellationToken);
            next = reply.NextPageOffset;
            List<StoredPoint> found =
                [.. reply.Result.Select(point => PointMapper.ToStored(point.Id, point.Payload, point.Vectors, true))];
            replySize.Observe(found);
            for (var i = 0; i < found.Count; i++)
            {
                bytes += PointSize.Of(found[i]);
                if (points.Count > 0 && bytes > PointPage.MaxBytes)
                {
                    return new(points, PageToken.Encode(name, Position(reply.Result[i].Id)));
                }
                points.Add(found[i]);
            }
        }
        while (next is not null && points.Count < pageSize);
        return new(points, next is null ? "" : PageToken.Encode(name, Position(next)));
    }

    /// <summary>Returns the points that exist, with their ids and whether they are on legal hold.</summary>
    public async Task<IReadOnlyList<RetrievedPoint>> ExistingAsync(
        string collection, IEnumerable<Guid> ids, CancellationToken cancellationToken)
    {
        var get = new GetPoints
        {
            CollectionName = collection,
            Ids = { ids.Select(id => (PointId)id) },
            WithPayload = new() { Include = new() { Fields = { PayloadKeys.PointId, PayloadKeys.Hold } } },
            WithVectors = false,
        };
        var reply = await calls.RunAsync(
            QdrantCallKind.Read, collection, (client, call) => client.Points.GetAsync(get, call), cancellationToken);
        return [.. reply.Result.Where(point => point.Id.HasUuid)];
    }

    /// <summary>Returns a page of points with id and job, and the position of the next page or null.</summary>
    public async Task<(IReadOnlyList<RetrievedPoint> Points, PointId? Next)> KeysAsync(
        CollectionState state, Filter? filter, PointId? from, CancellationToken cancellationToken)
    {
        var scroll = new ScrollPoints
        {
            CollectionName = state.Info.Name,
            Filter = filter,
            Limit = (uint)Math.Min(IdsPerPage, state.Limits.MaxQueryLimit),
            Offset = from,
            WithPayload = new() { Include = new() { Fields = { PayloadKeys.PointId, PayloadKeys.JobId } } },
        };
        var reply = await ScrollAsync(state, scroll, cancellationToken);
        return (reply.Result, reply.NextPageOffset);
    }

    /// <summary>Returns a page of ids and jobs.</summary>
    public async Task<PointKeyPage> ListKeysAsync(
        CollectionState state, PointFilter filter, string pageToken, CancellationToken cancellationToken)
    {
        var listing = $"{state.Info.Name}/keys";
        var from = Position(PageToken.Decode(listing, pageToken));
        var (points, next) = await KeysAsync(
            state, QdrantFilters.ToFilter(filter, state.ReservedIds), from, cancellationToken);
        return new(
            [.. points.Select(PointMapper.KeyOf)], next is null ? "" : PageToken.Encode(listing, Position(next)));
    }

    /// <summary>Returns the ids of a page of points, and the position of the next page or null.</summary>
    public async Task<(List<PointId> Ids, PointId? Next)> IdsAsync(
        CollectionState state, Filter filter, PointId? from, CancellationToken cancellationToken)
    {
        var scroll = new ScrollPoints
        {
            CollectionName = state.Info.Name,
            Filter = filter,
            Limit = (uint)Math.Min(IdsPerPage, state.Limits.MaxQueryLimit),
            Offset = from,
            WithPayload = false,
        };
        var reply = await ScrollAsync(state, scroll, cancellationToken);
        return ([.. reply.Result.Select(point => point.Id)], reply.NextPageOffset);
    }

    // For collections whose strict mode forbids exact counts.
    private async Task<long> CountPagesAsync(
        CollectionState state, PointFilter filter, CancellationToken cancellationToken)
    {
        var scroll = new ScrollPoints
        {
            CollectionName = state.Info.Name,
            Filter = QdrantFilters.ToFilter(filter, state.ReservedIds),
            Limit = (uint)Math.Min(CountedPerCall, state.Limits.MaxQueryLimit),
            WithPayload = false,
        };
        var count = 0L;
        do
        {
            var reply = await ScrollAsync(state, scroll, cancellationToken);
            count += reply.Result.Count;
            scroll.Offset = reply.NextPageOffset;
        }
        while (scroll.Offset is not null);
        return count;
    }

    private Task<ScrollResponse> ScrollAsync(
        CollectionState state, ScrollPoints scroll, CancellationToken cancellationToken) =>
        indexes.RunAsync(
            state,
            scroll.Filter,
            () => calls.RunAsync(
                QdrantCallKind.Read,
                scroll.CollectionName,
                (client, call) => client.Points.ScrollAsync(scroll, call),
                cancellationToken),
            cancellationToken);

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
