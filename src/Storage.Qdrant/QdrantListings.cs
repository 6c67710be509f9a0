using Embeddings.Primitives;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Lists points in an order, and returns several points by their ids. Qdrant orders by values alone, and not within equal ones, nor
/// does it return points without a value. So the pages of a listing are made of three kinds of calls: a scroll in the order of the
/// values, of which the groups of equal values that are complete are sorted by Qdrant's ids; scrolls by id through a group that is
/// larger than a reply; and, at the end, scrolls by id through the points without a value.
/// </summary>
internal sealed class QdrantListings(QdrantCalls calls, FilterIndexes indexes, QdrantRetention retention, ReplySize replySize, TimeProvider time)
{
    private const string NoRangeIndex = "No range index";
    private const int OrderAttempts = 8;
    private static readonly TimeSpan OrderDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// Returns the points that exist, in the order of the ids. In one call, unless the payloads of the last replies were so large
    /// that one reply should not hold all.
    /// </summary>
    public async Task<IReadOnlyList<StoredPoint>> FetchAsync(
        CollectionState state,
        IReadOnlyList<string> ids,
        bool withPayload,
        bool withVectors,
        ResponseLease? lease,
        CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var points = new List<StoredPoint>(ids.Count);
        var most = withPayload || withVectors ? replySize.Points(withVectors ? state.Info.Dimension : 0) : int.MaxValue;
        foreach (var chunk in ids.Chunk(most))
        {
            var get = new GetPoints
            {
                CollectionName = name,
                Ids = { chunk.Select(id => (PointId)PointIds.Of(id)) },
                WithPayload = withPayload ? true : PointMapper.IdOnly,
                WithVectors = withVectors,
            };
            var reply = await calls.RunAsync(
                QdrantCallKind.Read, name, (client, call) => client.Points.GetAsync(get, call), cancellationToken);
            var found = reply.Result.ToDictionary(
                point => point.Id.Uuid,
                point => PointMapper.ToStored(point.Id, point.Payload, point.Vectors, withPayload),
                StringComparer.OrdinalIgnoreCase);
            if (withPayload)
            {
                replySize.Observe(found.Values);
            }
            foreach (var id in chunk)
            {
                if (found.TryGetValue(PointIds.Of(id).ToString(), out var point))
                {
                    lease?.Add(point);
                    points.Add(point);
                }
            }
        }
        return points;
    }

    /// <summary>Returns a page of a listing in an order.</summary>
    public async Task<PointPage> ListAsync(
        CollectionState state,
        PointFilter filter,
        PointOrder order,
        int pageSize,
        string pageToken,
        bool withVectors,
        CancellationToken cancellationToken)
    {
        await RequireOrderAsync(state, order, cancellationToken);
        var listing = new Listing(this, state, filter, order, withVectors, cancellationToken);
        var name = $"{state.Info.Name}/{order.Key}";
        var at = PageToken.Decode(name, pageToken) is { } bytes ? OrderPosition.FromBytes(bytes) : (OrderPosition?)null;
        var points = new List<StoredPoint>();
        var size = 0L;
        await foreach (var (point, position) in listing.FromAsync(at, () => pageSize + 1 - points.Count))
        {
            size += PointSize.Of(point);
            if (points.Count == pageSize || (points.Count > 0 && size > PointPage.MaxBytes))
            {
                return new(points, PageToken.Encode(name, position.ToBytes()));
            }
            points.Add(point);
        }
        return new(points, "");
    }

    private async Task RequireOrderAsync(CollectionState state, PointOrder order, CancellationToken cancellationToken)
    {
        switch (order)
        {
            case { Field: OrderField.PointId }:
                throw Fault.Invalid(
                    Reasons.FieldInvalid,
                    "order_by.point_id",
                    "order_by.point_id must not be set with Qdrant, which has no order of ids. Use another field, or no order.");
            case { Field: OrderField.StoredAt }:
                await retention.EnsureIndexAsync(state.Info.Name, PayloadKeys.StoredAt, cancellationToken);
                break;
            case { Attribute: { } attribute } when !state.Info.IndexedAttributes.Contains(attribute):
                throw CollectionFaults.NotIndexed(state.Info.Name, attribute.Path);
        }
    }

    private async Task<ScrollResponse> ScrollAsync(
        CollectionState state, ScrollPoints scroll, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await indexes.RunAsync(
                    state,
                    scroll.Filter,
                    () => calls.RunAsync(
                        QdrantCallKind.Read,
                        scroll.CollectionName,
                        (client, call) => client.Points.ScrollAsync(scroll, call),
                        cancellationToken),
                    cancellationToken);
            }
            catch (Fault fault) when (
                attempt < OrderAttempts && scroll.OrderBy is not null && fault.Message.Contains(NoRangeIndex, StringComparison.Ordinal))
            {
                // The index exists, but not yet in a segment that Qdrant optimized while it was created.
                await Task.Delay(OrderDelay * attempt, time, cancellationToken);
            }
        }
    }

    /// <summary>
    /// A listing that is read. Positions have the id of the next point in Qdrant's form: with a value, that point is in the group of
    /// the value; without one, it has no value.
    /// </summary>
    private sealed class Listing(
        QdrantListings owner,
        CollectionState state,
        PointFilter filter,
        PointOrder order,
        bool withVectors,
        CancellationToken cancellationToken)
    {
        private readonly OrderedField _field = OrderedField.Of(order);

        /// <summary>Returns the points from a position on, each with its position.</summary>
        /// <param name="at">The position; null for the beginning.</param>
        /// <param name="wanted">The number of points that may still be used.</param>
        public async IAsyncEnumerable<(StoredPoint Point, OrderPosition Position)> FromAsync(OrderPosition? at, Func<int> wanted)
        {
            var beyond = at?.Value;
            if (at is { Value: { } first, Id: { } next })
            {
                await foreach (var point in GroupAsync(first, next, wanted))
                {
                    yield return point;
                }
            }
            if (at is null or { Value: not null })
            {
                while (true)
                {
                    var limit = Part(wanted());
                    var reply = await OrderedAsync(beyond, limit);
                    // The last group may have more points than the reply.
                    var rest = reply.Count < limit ? (double?)null : reply[^1].Position.Value;
                    foreach (var point in reply
                        .Where(point => rest is null || point.Position.Value != rest)
                        .OrderBy(point => order.Descending ? -point.Position.Value : point.Position.Value)
                        // As Qdrant orders them.
                        .ThenBy(point => point.Id.HasUuid)
                        .ThenBy(point => point.Id.Num)
                        .ThenBy(point => point.Id.Uuid, StringComparer.Ordinal))
                    {
                        yield return (point.Point, point.Position);
                    }
                    if (rest is not { } last)
                    {
                        break;
                    }
                    await foreach (var point in GroupAsync(last, null, wanted))
                    {
                        yield return point;
                    }
                    beyond = last;
                }
            }
            await foreach (var point in ByIdAsync(_field.AddAbsent, null, at is { Value: null } ? at.Value.Id : null, wanted))
            {
                yield return point;
            }
        }

        private IAsyncEnumerable<(StoredPoint Point, OrderPosition Position)> GroupAsync(
            double value, string? from, Func<int> wanted) =>
            ByIdAsync(matching => _field.AddEqual(matching, value), value, from, wanted);

        private async IAsyncEnumerable<(StoredPoint Point, OrderPosition Position)> ByIdAsync(
            Action<Filter> restrict, double? value, string? from, Func<int> wanted)
        {
            var next = from is null ? null : ToId(from);
            do
            {
                var reply = await owner.ScrollAsync(state, Scroll(restrict, Part(wanted()), next), cancellationToken);
                foreach (var point in Read(reply, _ => value))
                {
                    yield return (point.Point, point.Position);
                }
                next = reply.NextPageOffset;
            }
            while (next is not null);
        }

        private async Task<List<(PointId Id, StoredPoint Point, OrderPosition Position)>> OrderedAsync(double? beyond, int limit)
        {
            var scroll = Scroll(
                matching =>
                {
                    if (beyond is { } value)
                    {
                        _field.AddBeyond(matching, value, order.Descending);
                    }
                    else
                    {
                        _field.AddPresent(matching);
                    }
                },
                limit,
                null);
            scroll.OrderBy = _field.OrderBy(order.Descending, beyond);
            return Read(await owner.ScrollAsync(state, scroll, cancellationToken), point => _field.ValueOf(point.OrderValue));
        }

        private ScrollPoints Scroll(Action<Filter> restrict, int limit, PointId? offset)
        {
            var matching = QdrantFilters.ToFilter(filter, state.ReservedIds) ?? new();
            restrict(matching);
            return new()
            {
                CollectionName = state.Info.Name,
                Filter = matching,
                Limit = (uint)limit,
                Offset = offset,
                WithPayload = true,
                WithVectors = withVectors,
            };
        }

        private List<(PointId Id, StoredPoint Point, OrderPosition Position)> Read(
            ScrollResponse reply, Func<RetrievedPoint, double?> value)
        {
            List<(PointId, StoredPoint Point, OrderPosition)> points =
            [
                .. reply.Result.Select(point => (
                    point.Id,
                    PointMapper.ToStored(point.Id, point.Payload, point.Vectors, withPayload: true),
                    new OrderPosition(value(point), IdOf(point.Id)))),
            ];
            owner.Observe([.. points.Select(point => point.Point)]);
            return points;
        }

        // At least 2: a single point does not show whether its group is complete.
        private int Part(int wanted) => Math.Max(
            2, Math.Min(Math.Min(wanted, owner.Points(withVectors ? state.Info.Dimension : 0)), state.Limits.MaxQueryLimit));

        private static string IdOf(PointId id) => id.HasNum ? $"{id.Num}" : id.Uuid;

        private static PointId ToId(string id) =>
            ulong.TryParse(id, out var number) ? new() { Num = number } : new() { Uuid = id };
    }

    private int Points(int dimension) => replySize.Points(dimension);

    private void Observe(IReadOnlyCollection<StoredPoint> points) => replySize.Observe(points);
}
