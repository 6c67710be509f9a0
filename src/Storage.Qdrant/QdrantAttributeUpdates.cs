using System.Text.Json.Nodes;
using Qdrant.Client.Grpc;

namespace Embeddings.Storage.Qdrant;

/// <summary>
/// Changes attributes of points. Qdrant can neither compare nor compute while it writes, so the points are read first; then
/// only the fields that differ are written, so that a concurrent write keeps its other fields. If there are more points
/// than one reply holds, all are checked before the first is changed.
/// </summary>
internal sealed class QdrantAttributeUpdates(QdrantCalls calls, QdrantReads reads, ReplySize replySize)
{
    public async Task<long> UpdateAsync(
        CollectionState state,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        string[][] chunks = [.. ids.Chunk(replySize.Points(dimension: 0))];
        if (chunks.Length > 1)
        {
            foreach (var chunk in chunks)
            {
                await ReadAsync(state, chunk, change, cancellationToken);
            }
        }
        var changed = 0L;
        foreach (var chunk in chunks)
        {
            var patches = await ReadAsync(state, chunk, change, cancellationToken);
            await WriteAsync(state.Info.Name, patches, cancellationToken);
            changed += patches.Sum(patch => patch.Ids.Count);
        }
        return changed;
    }

    /// <summary>Changes the points that match, page by page in the order of Qdrant's ids, and returns their number.</summary>
    public async Task<long> UpdateAsync(
        CollectionState state,
        PointFilter filter,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var matching = QdrantFilters.ToFilter(filter, state.ReservedIds) ?? new();
        var matched = 0L;
        PointId? from = null;
        do
        {
            var (ids, next) = await reads.IdsAsync(state, matching, from, cancellationToken);
            foreach (var chunk in ids.Chunk(replySize.Points(dimension: 0)))
            {
                var found = await reads.FetchAsync(
                    state.Info.Name, chunk, withPayload: true, withVectors: false, cancellationToken);
                List<(PointId Id, StoredPoint Point)> points =
                    [.. found.Select(point => (point.Id, PointMapper.ToStored(point.Id, point.Payload, null, withPayload: true)))];
                replySize.Observe([.. points.Select(point => point.Point)]);
                await WriteAsync(state.Info.Name, Patches(points, change), cancellationToken);
                matched += points.Count;
            }
            from = next;
        }
        while (from is not null);
        return matched;
    }

    /// <summary>Returns the changes, those that are equal together.</summary>
    private static IReadOnlyCollection<Patch> Patches(
        IEnumerable<(PointId Id, StoredPoint Point)> points, Func<StoredPoint, JsonObject?> change)
    {
        var patches = new Dictionary<string, Patch>(StringComparer.Ordinal);
        foreach (var (id, point) in points)
        {
            if (change(point) is { } attributes)
            {
                var patch = Patch.Between(point.Payload.Attributes, attributes);
                if (patches.TryGetValue(patch.Key, out var same))
                {
                    same.RemovedObjects.UnionWith(patch.RemovedObjects);
                    patch = same;
                }
                else
                {
                    patches.Add(patch.Key, patch);
                }
                patch.Ids.Add(id);
            }
        }
        return patches.Values;
    }

    private async Task<IReadOnlyCollection<Patch>> ReadAsync(
        CollectionState state,
        IReadOnlyList<string> ids,
        Func<StoredPoint, JsonObject?> change,
        CancellationToken cancellationToken)
    {
        var name = state.Info.Name;
        var found = await reads.FetchAsync(
            name, ids.Select(id => (PointId)PointIds.Of(id)), withPayload: true, withVectors: false, cancellationToken);
        var points = found.ToDictionary(
            point => point.Id.Uuid,
            point => (point.Id, Point: PointMapper.ToStored(point.Id, point.Payload, null, withPayload: true)),
            StringComparer.OrdinalIgnoreCase);
        replySize.Observe([.. points.Values.Select(point => point.Point)]);
        return Patches(
            ids.Select(id => points.TryGetValue(PointIds.Of(id).ToString(), out var point)
                ? point
                : throw CollectionFaults.PointNotFound(name, id)),
            change);
    }

    private async Task WriteAsync(string collection, IEnumerable<Patch> patches, CancellationToken cancellationToken)
    {
        PointsUpdateOperation[] operations = [.. patches.SelectMany(patch => patch.Operations())];
        if (operations.Length > 0)
        {
            await calls.UpdateAsync(collection, operations, cancellationToken);
        }
    }

    /// <summary>A change of attributes, and the points that get it.</summary>
    /// <param name="Set">The fields to set.</param>
    /// <param name="Removed">The fields to remove.</param>
    /// <param name="IsWhole">True if the fields to set are all attributes: the points have none yet, or all are replaced.</param>
    /// <param name="Times">The times in all attributes (<see cref="StoredTimes"/>), or null for none.</param>
    /// <param name="HasOtherTimes">True if they have changed.</param>
    private sealed record Patch(JsonObject Set, IReadOnlyList<string> Removed, bool IsWhole, Value? Times, bool HasOtherTimes)
    {
        public List<PointId> Ids { get; } = [];

        /// <summary>The fields of <see cref="Removed"/> that have fields of their own in one of the points.</summary>
        public HashSet<string> RemovedObjects { get; } = new(StringComparer.Ordinal);

        /// <summary>Equal for equal changes.</summary>
        public string Key => new JsonArray(Set.DeepClone(), new JsonArray([.. Removed.Select(name => (JsonNode)name)]), IsWhole, HasOtherTimes, $"{Times}").ToJsonString();

        public static Patch Between(JsonObject? before, JsonObject after)
        {
            var set = new JsonObject();
            foreach (var (name, value) in after)
            {
                if (before is null || !before.TryGetPropertyValue(name, out var old) || !JsonNode.DeepEquals(old, value))
                {
                    set.Add(name, value?.DeepClone());
                }
            }
            var times = StoredTimes.Of(after);
            var hasOtherTimes = !Equals(times, StoredTimes.Of(before));
            // Qdrant removes a field that is set to null, unless the object that holds it is replaced.
            if (set.Any(field => field.Value is null))
            {
                return new((JsonObject)after.DeepClone(), [], IsWhole: true, times, hasOtherTimes);
            }
            var patch = new Patch(
                set,
                [.. before?.Select(field => field.Key).Where(name => !after.ContainsKey(name)) ?? []],
                before is null,
                times,
                hasOtherTimes);
            patch.RemovedObjects.UnionWith(patch.Removed.Where(name => before![name] is JsonObject));
            return patch;
        }

        public IEnumerable<PointsUpdateOperation> Operations()
        {
            // Unlike a list of ids, a filter may name points that have been deleted since.
            var points = new PointsSelector { Filter = new() { Must = { Conditions.HasId([.. Ids.Select(id => Guid.Parse(id.Uuid))]) } } };
            if (Removed.Count > 0)
            {
                if (RemovedObjects.Count > 0)
                {
                    // Qdrant removes a field from its indexes without those that are nested in it, but it replaces them all.
                    var nothing = new PointsUpdateOperation.Types.SetPayload { PointsSelector = points, Key = PayloadKeys.Attributes };
                    nothing.Payload.Add(RemovedObjects.ToDictionary(AttributeKeys.Encode, _ => new Value { StructValue = new() }));
                    yield return new() { SetPayload = nothing };
                }
                yield return new()
                {
                    DeletePayload = new() { PointsSelector = points, Keys = { Removed.Select(AttributeKeys.Path) } },
                };
            }
            if (Set.Count > 0 || IsWhole)
            {
                var fields = AttributeValues.ToValue(Set);
                var operation = new PointsUpdateOperation.Types.SetPayload { PointsSelector = points };
                if (IsWhole)
                {
                    operation.Payload.Add(PayloadKeys.Attributes, fields);
                }
                else
                {
                    operation.Key = PayloadKeys.Attributes;
                    operation.Payload.Add(fields.StructValue.Fields);
                }
                yield return new() { SetPayload = operation };
            }
            if (HasOtherTimes)
            {
                // Not removed, for the same reason.
                var times = Times ?? new() { StructValue = new() };
                yield return new() { SetPayload = new() { PointsSelector = points, Payload = { [PayloadKeys.Times] = times } } };
            }
        }
    }
}
